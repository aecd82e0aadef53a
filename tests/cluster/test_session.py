"""Several nodes share no SQLite file; no Ray is needed to say so."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from cluster.session import SessionError, refuse_shared_sqlite, sqlite_stores
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
    stores = StoreSettings(ledger_url=LEDGER, mlflow_uri=MLFLOW)
    assert sqlite_stores(stores) == []
    refuse_shared_sqlite(stores, 5)


def test_the_libraries_are_quiet_in_every_command_whichever_loads_them_first(tmp_path: Path) -> None:
    """In a process of its own: what was imported first decides."""
    program = (
        "import sys; from cluster.cli import main\n"
        f"sys.argv = ['ratchet', 'loop', '--resume', 't9', '--home', {str(tmp_path / 'home')!r}]\n"
        "try: main()\n"
        "except SystemExit as end: assert end.code == 2, end\n"
        "import training.model, transformers\n"
        "assert transformers.logging.get_verbosity() == transformers.logging.ERROR\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=_plain(), check=False)
    assert done.returncode == 0, done.stderr


def _plain() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name != "TRANSFORMERS_VERBOSITY"}
