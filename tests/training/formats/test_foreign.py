"""Files as other programs write them: packed, with fields of their own, with times, and under the wrong name."""

from __future__ import annotations

import codecs
import gzip
import io
import json
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from evaluation.ledger import Ledger
from tests.evaluation.ledger.making import example
from tests.training.formats.making import DEFAULT, NOW, SMALL, lines, rows_of
from training.formats.importing import Imported, Importer, ImportRefused
from training.formats.lines import FormatError
from training.formats.names import FormatName
from training.formats.row import Carried, talk_of

SAID: list[dict[str, Any]] = [{"role": "user", "content": "Grüß Gott?"}, {"role": "assistant", "content": "Yes."}]
ROW = json.dumps({"messages": SAID}, ensure_ascii=False).encode()


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.open(f"sqlite:///{tmp_path}/ledger.db") as opened:
        yield opened


def taken(path: Path, ledger: Ledger, name: FormatName = FormatName.OPENAI, *, skip_bad: bool = False) -> Imported:
    return Importer(path, name, DEFAULT, SMALL).run(ledger, skip_bad=skip_bad)


def zipped(content: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("rows.jsonl", content)
    return out.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        gzip.compress(ROW + b"\n" + ROW),
        gzip.compress(b"[" + ROW + b",\n" + ROW + b"]"),
        gzip.compress(codecs.BOM_UTF8 + ROW + b"\r\n" + ROW),
        codecs.BOM_UTF8 + ROW + b"\r\n\r\n" + ROW + b"\r\n",
        b" \n[" + ROW + b"," + ROW + b"]\n",
    ],
    ids=["gzip", "list in gzip", "gzip, BOM, CRLF", "BOM, CRLF", "list"],
)
def test_rows_are_read_however_they_are_packed(content: bytes, tmp_path: Path, ledger: Ledger) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(content)
    found = taken(path, ledger)
    assert (found.rows, found.twice, found.examples) == (1, 1, 1)
    assert [one.query for one in ledger.examples()] == ["Grüß Gott?"]


@pytest.mark.parametrize(
    ("file", "content", "told"),
    [
        ("rows.parquet", ROW, "expected a Parquet file, which begins with PAR1, found b'{\"me'"),
        ("rows.parquet", b"", "expected rows, found an empty file"),
        ("rows.jsonl", b"", "expected rows, found an empty file"),
        ("rows.jsonl", gzip.compress(b""), "expected rows, found an empty file"),
        ("rows.jsonl", gzip.compress(ROW * 50)[:-9], "expected a whole gzip file, found:"),
        ("rows.jsonl", zipped(ROW), "found a zip archive; unpack it first"),
        ("rows.jsonl", codecs.BOM_UTF16_LE + ROW.decode().encode("utf-16-le"), "found UTF-16; save it as UTF-8"),
        ("rows.jsonl", gzip.compress(b"PAR1" + ROW), "expected text inside of gzip, found Parquet; unpack it first"),
        ("rows.jsonl", b"\n \n", "expected a row that can be used, found none"),
    ],
)
def test_what_is_no_file_of_rows_is_called_what_it_is(
    file: str, content: bytes, told: str, tmp_path: Path, ledger: Ledger
) -> None:
    path = tmp_path / file
    path.write_bytes(content)
    with pytest.raises(FormatError) as refused:
        taken(path, ledger)
    assert told in str(refused.value)
    assert str(path) in str(refused.value)
    assert ledger.count() == 0


def test_json_lines_are_no_parquet_because_one_says_so(tmp_path: Path, ledger: Ledger) -> None:
    with pytest.raises(FormatError, match="expected a Parquet file"):
        taken(lines(tmp_path, {"messages": SAID}), ledger, FormatName.PARQUET)


def test_fields_that_no_example_has_are_counted_by_name(tmp_path: Path, ledger: Ledger) -> None:
    more = {"usage": {"total_tokens": 9}, "model": "gpt", "metadata": None}
    named = [{**SAID[0], "name": "ann"}, {**SAID[1], "reasoning_content": "Hm."}]
    ours = rows_of([Carried(talk_of(example(1)), example(1))], FormatName.OPENAI)[0]
    changed = ours | {"messages": [{"role": "user", "content": "Else?"}, {"role": "assistant", "content": "No."}]}
    found = taken(
        lines(tmp_path, {"messages": SAID, **more, "id": "a"}, {"messages": named, **more, "id": "b"}, ours, changed),
        ledger,
    )
    assert found.dropped == {
        "usage": 2,
        "model": 2,
        "messages[].name": 1,
        "messages[].reasoning_content": 1,
        "ratchet": 1,
    }


@pytest.mark.parametrize(
    ("name", "data", "dropped"),
    [
        (FormatName.OPENAI_DPO, {"input": {"messages": SAID[:1]}, "preferred_output": SAID[1:],
                                 "non_preferred_output": [{**SAID[1], "content": "No.", "audio": {}}],
                                 "score": 1}, {"score", "non_preferred_output[].audio"}),
        (FormatName.SHAREGPT, {"conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}],
                               "tools": "", "lang": "de"}, {"lang"}),
        (FormatName.TRL, {"prompt": SAID[:1], "chosen": SAID[1:], "rejected": [{**SAID[1], "content": "No."}],
                          "margin": 2}, {"margin"}),
    ],
)  # fmt: skip
def test_each_format_knows_its_own_fields(
    name: FormatName, data: dict[str, Any], dropped: set[str], tmp_path: Path, ledger: Ledger
) -> None:
    assert set(taken(lines(tmp_path, data), ledger, name).dropped) == dropped


@pytest.mark.parametrize(
    ("field", "given", "time"),
    [
        ("timestamp", "2025-03-01T12:00:00Z", datetime(2025, 3, 1, 12, tzinfo=UTC)),
        ("timestamp", "2025-03-01T12:00:00+02:00", datetime(2025, 3, 1, 10, tzinfo=UTC)),
        ("created_at", "2025-03-01", datetime(2025, 3, 1, tzinfo=UTC)),
        ("created", 1740830400, datetime(2025, 3, 1, 12, tzinfo=UTC)),
        ("timestamp", None, NOW),
    ],
)
def test_a_row_keeps_its_time(field: str, given: Any, time: datetime, tmp_path: Path, ledger: Ledger) -> None:
    assert not taken(lines(tmp_path, {"messages": SAID, field: given}), ledger).dropped
    assert [one.timestamp for one in ledger.examples()] == [time]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("2035-01-01T00:00:00Z", "rows.jsonl:1:1: timestamp: expected a time up to 2026-06-02 00:00 UTC"),
        (2051222400, "expected a time up to 2026-06-02 00:00 UTC (a day from now), found 2035-01-01T00:00:00+00:00"),
        ("yesterday", "timestamp: expected a time as 2026-01-31T12:00:00Z or seconds since 1970, found 'yesterday'"),
        (1e300, "timestamp: expected a time as"),
        ([], "timestamp: expected a time as"),
    ],
)
def test_a_time_that_cannot_be_is_a_mistake(given: Any, told: str, tmp_path: Path, ledger: Ledger) -> None:
    path = lines(tmp_path, {"messages": SAID, "timestamp": given}, {"messages": SAID, "id": "good"})
    with pytest.raises(ImportRefused) as refused:
        taken(path, ledger)
    assert told in str(refused.value)
    found = taken(path, ledger, skip_bad=True)
    assert (found.examples, found.bad) == (1, 1)


def test_a_day_ahead_is_a_clock_that_goes_wrong(tmp_path: Path, ledger: Ledger) -> None:
    time = (NOW + timedelta(hours=20)).isoformat()
    assert taken(lines(tmp_path, {"messages": SAID, "timestamp": time}), ledger).examples == 1
