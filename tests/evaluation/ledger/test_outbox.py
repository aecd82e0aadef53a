from __future__ import annotations

import json
import sqlite3
import threading
from pathlib import Path

import pytest

from evaluation.ledger.outbox import Outbox, OutboxError, OutboxFull, Put


def test_rows_wait_in_order_until_they_are_done(tmp_path: Path) -> None:
    box = Outbox(tmp_path / "deep" / "out.db")
    assert box.put("example", [("a", "1"), ("b", "ü")]) == Put(2)
    assert box.put("example", [("b", "ü"), ("c", "3"), ("c", "3")]) == Put(1, ("b", "c"))
    assert box.put("feedback", [("a", "5")]) == Put(1)
    assert [(row.id, row.body) for row in box.take("example")] == [("a", "1"), ("b", "ü"), ("c", "3")]
    assert [row.id for row in box.take("example", batch=1, after=1)] == ["b"]
    assert box.counts()[:2] == (4, 5)
    again = Outbox(tmp_path / "deep" / "out.db")  # another process on the same file
    again.done([row.number for row in again.take("example")])
    again.done([1, 2])  # twice does nothing
    assert [row.kind for row in box.take("feedback")] == ["feedback"]
    assert box.counts() == (1, 1, 0, 0)
    box.close(), again.close()


def test_a_full_outbox_refuses_the_whole_batch_and_counts_it(tmp_path: Path) -> None:
    box = Outbox(tmp_path / "out.db", limit=3, limit_bytes=10)
    box.put("example", [("a", "1"), ("b", "2")])
    with pytest.raises(OutboxFull, match=r"is full: 2 rows \(2 bytes\) wait, at most 3 rows"):
        box.put("example", [("c", "3"), ("d", "4")])
    with pytest.raises(OutboxFull):
        box.put("example", [("c", "x" * 9)])
    assert box.counts() == (2, 2, 3, 0)
    assert box.put("example", [("a", "1"), ("c", "3")]) == Put(1, ("a",))  # what waits already takes no room
    box.done([1])
    assert box.put("example", [("e", "5")]) == Put(1)
    with sqlite3.connect(tmp_path / "out.db") as other:  # whoever takes a person's rows out
        other.execute("DELETE FROM waiting WHERE id = 'e'")
    other.close()
    assert box.counts()[:2] == (2, 2)
    box.close()


def test_other_content_under_an_id_that_waits_waits_beside_it(tmp_path: Path) -> None:
    box = Outbox(tmp_path / "out.db")
    first, later, other = (json.dumps({"timestamp": n, "said": said}) for n, said in ((1, "a"), (2, "a"), (3, "b")))
    assert box.put("example", [("x", first), ("x", other)]) == Put(1, (), ("x",))
    assert box.put("example", [("x", later)]) == Put(0, ("x",))
    assert box.put("example", [("x", other)]) == Put(0, (), ("x",))
    assert [row.body for row in box.take("example")] == [first, other]
    box.close()


def test_puts_of_many_threads_share_syncs_and_each_is_kept_or_refused_by_itself(tmp_path: Path) -> None:
    box, commits, found, refused = Outbox(tmp_path / "out.db", limit=150), [], [], []
    box._db.set_trace_callback(lambda said: commits.append(said) if said == "COMMIT" else None)
    begin = threading.Barrier(8)

    def put(thread: int) -> None:
        begin.wait()
        for n in range(40):
            try:
                box.put("example", [(f"{thread}-{n}", "1")])
                found.append(f"{thread}-{n}")
            except OutboxFull:
                refused.append(f"{thread}-{n}")
            with pytest.raises(OutboxError, match="does not take these rows"):
                box.put("example", [(f"bad{n}", "\ud800")])

    threads = [threading.Thread(target=put, args=(n,)) for n in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert (len(found), len(refused)) == (150, 8 * 40 - 150)
    assert sorted(row.id for row in box.take("example", 1000)) == sorted(found)
    assert box.counts() == (150, 150, 8 * 40 - 150, 0)
    assert len(commits) < 8 * 80
    box.close()


def test_what_is_refused_for_good_waits_no_longer(tmp_path: Path) -> None:
    box = Outbox(tmp_path / "out.db")
    box.put("example", [("a\ud800", "1"), ("b", "2")])
    box.set_aside(1, "no good")
    assert box.aside() == [("example", "a\\ud800", "no good")]
    assert box.counts() == (1, 1, 0, 1)
    box.close()


def test_what_cannot_be_used_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutboxError, match=r"cannot be used .* nothing was kept"):
        Outbox(tmp_path / "file" / "out.db")
    (tmp_path / "bad.db").write_bytes(b"no database at all" * 400)
    with pytest.raises(OutboxError, match="not a database"):
        Outbox(tmp_path / "bad.db")


def test_a_full_disk_keeps_nothing_of_the_batch(tmp_path: Path) -> None:
    box = Outbox(tmp_path / "out.db")
    box.put("example", [("a", "1")])
    (pages,) = box._db.execute("PRAGMA page_count").fetchone()
    box._db.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(OutboxError, match="full"):
        box.put("example", [("b", "2"), ("c", "x" * 1_000_000)])
    assert box.counts() == (1, 1, 0, 0)
    assert isinstance(box._db, sqlite3.Connection)
    box._db.execute("PRAGMA max_page_count = 100000")
    assert box.put("example", [("b", "2")]) == Put(1)
    box.close()
