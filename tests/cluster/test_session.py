"""Several nodes share no SQLite file; no Ray is needed to say so."""

from __future__ import annotations

import pytest

from cluster.session import SessionError, refuse_shared_sqlite
from cluster.settings import StoreSettings

LEDGER, MLFLOW = "postgresql+psycopg://ratchet@db/ratchet", "http://mlflow:5000"


@pytest.mark.parametrize(
    ("ledger", "mlflow", "named"),
    [
        (None, MLFLOW, "stores.ledger_url in the home"),
        ("sqlite:////shared/ledger.db", MLFLOW, "stores.ledger_url sqlite:////shared/ledger.db"),
        (LEDGER, None, "stores.mlflow_uri in the home"),
        (LEDGER, "sqlite:////shared/mlflow.db", "stores.mlflow_uri sqlite:////shared/mlflow.db"),
    ],
)
def test_sqlite_is_refused_on_several_nodes_however_it_was_set(
    ledger: str | None, mlflow: str | None, named: str
) -> None:
    stores = StoreSettings(ledger_url=ledger, mlflow_uri=mlflow)
    with pytest.raises(SessionError, match=f"2 nodes, found SQLite: {named};"):
        refuse_shared_sqlite(stores, 2)
    refuse_shared_sqlite(stores, 1)


def test_stores_with_a_server_serve_several_nodes() -> None:
    refuse_shared_sqlite(StoreSettings(ledger_url=LEDGER, mlflow_uri=MLFLOW), 5)
