"""What is PostgreSQL's own: a server that goes and comes back, migrations at once, URLs that do not fit."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from evaluation.ledger import Ledger, LedgerAway, LedgerError
from evaluation.ledger.collector import Collector, Kept
from evaluation.ledger.outbox import Outbox
from tests.evaluation.ledger.making import example
from tests.postgres import PASSWORD, Server

pytestmark = [pytest.mark.postgres, pytest.mark.slow]


@pytest.fixture
def empty(postgres_server: Server) -> Iterator[str]:
    name = postgres_server.database(migrated=False)
    yield name
    postgres_server.drop(name)


def _write_while(ledger: Ledger, happens: Callable[[], object]) -> None:
    with ledger._database.write() as connection:
        connection.exec_driver_sql("INSERT INTO settings VALUES ('half', 'written')")
        happens()
        connection.exec_driver_sql("INSERT INTO settings VALUES ('other', 'half')")


def test_a_server_that_goes_mid_batch_and_comes_back(postgres_server: Server, empty: str, tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox.db")
    with Ledger.open(postgres_server.url(empty), busy_s=5) as ledger:
        collector = Collector(ledger, outbox, origin="test")
        assert collector.keep_examples([example(1)]) == Kept(new=1)
        try:
            gone = r"does not answer or went away \(.*run this again: what is there already is not doubled"
            with pytest.raises(LedgerAway, match=gone):
                _write_while(ledger, postgres_server.stop)
            assert collector.keep_examples([example(2), example(3)]) == Kept(waiting=2)
            assert collector.trouble is not None
            assert "does not answer" in collector.trouble
        finally:
            postgres_server.start()
        assert ledger.setting("half") is None
        collector._retry_at = 0.0
        assert collector.keep_examples([example(4)]) == Kept(new=3)
        assert [one.id for one in ledger.examples()] == ["e0001", "e0002", "e0003", "e0004"]
    outbox.close()


def test_connections_that_are_cut_are_made_anew(postgres_server: Server, empty: str) -> None:
    with Ledger.open(postgres_server.url(empty)) as ledger:
        ledger.add_examples([example(1)])
        cut = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{empty}'"
        postgres_server.sql(cut)
        assert ledger.add_examples([example(2)]) == 1
        with pytest.raises(LedgerAway, match="went away"):
            _write_while(ledger, lambda: postgres_server.sql(cut))
        assert ledger.count() == 2


def test_many_migrate_a_new_database_at_once(postgres_server: Server, empty: str) -> None:
    def opened(number: int) -> str:
        with Ledger.open(postgres_server.url(empty), busy_s=20) as ledger:
            return ledger.set_once("seed", str(number))

    with ThreadPoolExecutor(6) as threads:
        assert len(set(threads.map(opened, range(6)))) == 1


def test_writers_do_not_wait_for_each_other_but_for_one_row(postgres_server: Server, empty: str) -> None:
    url = postgres_server.url(empty)
    with Ledger.open(url, busy_s=0.3) as one, Ledger.open(url, busy_s=0.3) as other:
        ready, done = threading.Event(), threading.Event()

        def hold() -> None:
            with one._database.write() as connection:
                connection.exec_driver_sql("INSERT INTO settings VALUES ('k', 'v')")
                ready.set()
                done.wait(20)

        holder = threading.Thread(target=hold)
        holder.start()
        ready.wait(20)
        assert other.add_examples([example(1)]) == 1
        with pytest.raises(LedgerAway, match=r"is locked: another writer held it for longer than 0.3 s"):
            other.set_once("k", "w")
        done.set()
        holder.join()
        assert other.set_once("k", "w") == "v"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ((PASSWORD, "wrong-word"), "does not let this user in .* Check user and password in .*stores.ledger_url"),
        (("ratchet:", "nobody:"), "does not let this user in"),
        (("/{name}", "/nowhere"), r"is not there .*Make it \(`createdb NAME`\), or change its name"),
        ((":{port}", ":1"), "does not answer .*Start the server, or change host and port"),
        (("127.0.0.1", "no-such-host.invalid"), "does not answer .*Start the server, or change host and port"),
        (("", ""), "may not be written by this user"),
    ],
    ids=["password", "user", "database", "port", "host", "rights"],
)
def test_a_url_that_does_not_fit_names_what_to_change_and_hides_the_password(
    postgres_server: Server, empty: str, change: tuple[str, str], said: str
) -> None:
    old, new = (part.format(name=empty, port=postgres_server.port) for part in change)
    url = postgres_server.tcp_url(empty).replace(old, new)
    with pytest.raises(LedgerError, match=said) as caught:
        Ledger.open(url, busy_s=2)
    assert "***@" in str(caught.value)
    assert not {PASSWORD, "wrong-word"} & set(str(caught.value).replace(":", " ").replace("@", " ").split())
    assert "\n" not in str(caught.value)


def test_another_encoding_is_refused(postgres_server: Server) -> None:
    postgres_server.sql("CREATE DATABASE latin ENCODING 'LATIN1' TEMPLATE template0")
    with pytest.raises(LedgerError, match="to be encoded in UTF8, found LATIN1"):
        Ledger.open(postgres_server.url("latin"))
    postgres_server.drop("latin")
