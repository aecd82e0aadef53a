"""Start Ray, and end what was started. The only file that calls `ray.init`.

What has to be set before Ray starts stands in `cluster/environment.py`.
"""

from __future__ import annotations

import contextlib
import logging
import os
import tempfile
from collections.abc import Iterator

import ray

from cluster.environment import prepare_environment
from cluster.settings import Settings, StoreSettings

LOGGERS = ("ray", "ray.data", "ray.serve", "ray.train", "ray.tune")


class SessionError(Exception):
    """Ray cannot be used as it is. Says what to change."""


@contextlib.contextmanager
def ray_session(settings: Settings) -> Iterator[None]:
    """Connect to the configured cluster, or start a local Ray and stop it at the end.

    Raises `SessionError` where several nodes would write one SQLite file.
    """
    if ray.is_initialized():
        yield
        return
    prepare_environment()
    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(settings.home_path() / "cache" / "inductor"))
    quiet = {"configure_logging": True, "logging_level": logging.ERROR, "log_to_driver": False}
    if settings.ray.address:
        ray.init(address=settings.ray.address, **quiet)
        try:
            refuse_shared_sqlite(settings.stores, sum(node["Alive"] for node in ray.nodes()))
        except SessionError:
            ray.shutdown()
            raise
    else:
        ray.init(
            address="local",
            num_cpus=settings.ray.num_cpus,
            include_dashboard=settings.ray.dashboard,
            object_store_memory=settings.ray.object_store_mb * 1024**2,
            _temp_dir=os.environ.get("RAY_TMPDIR") or os.path.join(tempfile.gettempdir(), "ratchet-ray"),
            **quiet,
        )
    for name in LOGGERS:
        logging.getLogger(name).setLevel(logging.ERROR)
    # DeepSpeed sets its own level at import, and then warns that there is no GPU.
    logging.getLogger("DeepSpeed").addFilter(_is_error)
    try:
        yield
    finally:
        ray.shutdown()


def _is_error(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.ERROR


def sqlite_stores(stores: StoreSettings) -> list[str]:
    """Return the stores that are SQLite files, as messages name them."""
    urls = {"stores.ledger_url": stores.ledger_url, "stores.mlflow_uri": stores.mlflow_uri}
    return [f"{key} {url or 'in the home'}" for key, url in urls.items() if (url or "sqlite").startswith("sqlite")]


def refuse_shared_sqlite(stores: StoreSettings, nodes: int) -> None:
    """Raise `SessionError` where several nodes would share a store in SQLite: its file is on one of them."""
    found = sqlite_stores(stores)
    if nodes > 1 and found:
        raise SessionError(
            f"expected stores with a server on a cluster of {nodes} nodes, found SQLite: {', '.join(found)};"
            " set stores.ledger_url to a postgresql:// URL, stores.mlflow_uri to an MLflow server or a postgresql://"
            " URL, and home to storage that all nodes share"
        )
