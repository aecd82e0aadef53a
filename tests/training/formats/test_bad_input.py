"""Files as outsiders have them: broken, foreign, too large. One message each, with its place; nothing half-written."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from evaluation.ledger import Ledger
from evaluation.records import Source
from tests.evaluation.ledger.making import example, feedback
from tests.training.formats.making import DEFAULT, NOW, SMALL, lines
from training.formats.importing import Importer, ImportRefused
from training.formats.lines import FormatError, ReadingConfig
from training.formats.names import FormatName
from training.formats.reading import Bad, Good, read_file
from training.formats.row import Carried, Talk
from training.formats.writing import write_file

TOOL = {"type": "function", "function": {"name": "pay", "description": "Pays.", "parameters": {"type": "object"}}}
CALL = {"id": "c1", "type": "function", "function": {"name": "pay", "arguments": "{}"}}
USER, ANSWER = {"role": "user", "content": "Pay."}, {"role": "assistant", "content": "Done."}
CALLED = {"role": "assistant", "tool_calls": [CALL]}
RESULT = {"role": "tool", "tool_call_id": "c1", "content": "ok"}


def row(*messages: Any, **more: Any) -> dict[str, Any]:
    return {"messages": list(messages), "tools": [TOOL], **more}


def named(call: dict[str, Any], **function: Any) -> dict[str, Any]:
    return {"role": "assistant", "tool_calls": [{**call, "function": {**call["function"], **function}}]}


GOOD = row(USER, CALLED, RESULT, ANSWER)
BAD = {
    "no JSON": ('{"messages": [', "2:15: expected one JSON object, found: Expecting value"),
    "not a number": ('{"messages": NaN}', "there is no NaN in JSON"),
    "no object": ("[1]", "expected an object, found list"),
    "no messages": ({"tools": []}, "messages: expected a list of messages, found none"),
    "empty list": ({"messages": []}, "messages: expected a list of messages, found none"),
    "empty message": (
        row(USER, {"role": "assistant", "content": " "}),
        "expected a text or a call, found an empty message",
    ),
    "empty question": (
        row({"role": "user", "content": ""}, ANSWER),
        "messages[0]: expected a text, found an empty message",
    ),
    "answer first": (row(ANSWER, USER), "messages[0]: expected a message of the user before the assistant's"),
    "system in the middle": (
        row(USER, {"role": "system", "content": "x"}, ANSWER),
        "expected the system prompt before",
    ),
    "nothing to learn": (row(USER), "expected a message of the assistant to learn from, found none"),
    "unknown role": (row({"role": "robot", "content": "x"}), "messages[0].role: expected one of system"),
    "call without result": (row(USER, CALLED, USER, ANSWER), "expected the results of pay first, found none"),
    "result without call": (
        row(USER, RESULT, ANSWER),
        "expected the result of a call that waits for one (none), found 'c1'",
    ),
    "arguments no JSON": (row(USER, named(CALL, arguments="{x"), RESULT, ANSWER), "expected JSON text, found '{x'"),
    "arguments no object": (row(USER, named(CALL, arguments="[]"), RESULT, ANSWER), "expected a JSON object, found []"),
    "unknown tool": (row(USER, named(CALL, name="buy"), RESULT, ANSWER), "expected a tool on offer (pay), found 'buy'"),
    "tool twice": ({**GOOD, "tools": [TOOL, TOOL]}, "tools[1]: expected each tool once, found 'pay' again"),
    "id of a call twice": (
        row(USER, CALLED, RESULT, CALLED, RESULT, ANSWER),
        "expected an id of its own, found 'c1' again",
    ),
    "typo": ({"mesages": [], "tools": []}, "expected 'messages', found 'mesages'"),
    "our field broken": (
        {**GOOD, "ratchet": '{"digest": 1}'},
        "ratchet: expected what an export wrote there, found digest",
    ),
}


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger.open(f"sqlite:///{tmp_path}/ledger.db", clock=lambda: NOW) as opened:
        yield opened


def imported(file: Path, ledger: Ledger, *, skip_bad: bool = False, name: FormatName = FormatName.OPENAI) -> Any:
    return Importer(file, name, DEFAULT, SMALL).run(ledger, skip_bad=skip_bad)


@pytest.mark.parametrize("case", BAD)
def test_a_bad_row_is_named_and_nothing_is_written(case: str, tmp_path: Path, ledger: Ledger) -> None:
    given, said = BAD[case]
    file = lines(tmp_path, GOOD, given, {**GOOD, "id": "g2"})
    with pytest.raises(ImportRefused) as raised:
        imported(file, ledger)
    assert said in str(raised.value)
    assert f"{file}:2:" in str(raised.value)
    assert "--skip-bad leaves those out and takes the other 2" in str(raised.value)
    assert ledger.count() == 0
    assert ledger.runs() == ()
    found = imported(file, ledger, skip_bad=True)
    assert (found.examples, found.bad) == (2, 1)
    [letter] = ledger.dead_letters()
    assert (letter.origin, letter.reason) == ("import:rows.jsonl:2", found.mistakes[0])


def test_the_column_is_where_the_mistake_stands(tmp_path: Path) -> None:
    file = lines(tmp_path, row(USER, named(CALL, arguments="{x"), RESULT))
    [bad] = read_file(file, FormatName.OPENAI, SMALL)
    assert isinstance(bad, Bad)
    column = int(bad.mistake.removeprefix(f"{file}:1:").partition(":")[0])
    assert file.read_text()[column - 1 :].startswith('"{x"')


def test_bytes_that_are_no_utf8_are_named(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_bytes(json.dumps(GOOD).encode() + b"\n" + '{"a": "ü'.encode() + b'\xff"}\n' + json.dumps(GOOD).encode())
    found = list(read_file(file, FormatName.OPENAI, SMALL))
    assert [isinstance(one, Good) for one in found] == [True, False, True]
    assert isinstance(found[1], Bad)
    assert f"{file}:2:9: expected UTF-8, found byte 0xff" in found[1].mistake


def test_a_line_of_200_mb_takes_no_such_memory(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    with file.open("wb") as out:
        out.write(json.dumps(GOOD).encode() + b"\n")
        for _ in range(200):
            out.write(b"x" * 1_000_000)
        out.write(b"\n" + json.dumps(GOOD).encode() + b"\n")
    tracemalloc.start()
    found = list(read_file(file, FormatName.OPENAI, SMALL))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 10_000_000
    assert isinstance(found[1], Bad)
    assert (
        "expected a row of at most 1 MB, found one of 200,000,001 bytes; raise data.reading.longest_row_mb"
        in found[1].mistake
    )
    assert isinstance(found[2], Good)


def test_a_list_is_read_item_by_item(tmp_path: Path) -> None:
    file = tmp_path / "rows.json"
    text = {"conversations": [{"from": "human", "value": 'a "]," b'}, {"from": "gpt", "value": "c\\"}]}
    long = {"conversations": [{"from": "human", "value": "x" * 2_000_000}]}
    file.write_text(
        "\n [\n" + json.dumps(text) + ",\n" + json.dumps(long) + " , " + json.dumps(text, indent=1) + "\n]\n"
    )
    first, second, third = read_file(file, FormatName.SHAREGPT, SMALL)
    assert isinstance(first, Good)
    assert isinstance(third, Good)
    assert (first.line, third.line) == (3, 4)
    assert first.talk.messages[0].content == 'a "]," b'
    assert isinstance(second, Bad)
    assert second.line == 4
    file.write_text("[" + json.dumps(text))
    with pytest.raises(FormatError, match="expected a JSON list that ends with ], found the end of the file"):
        list(read_file(file, FormatName.SHAREGPT, SMALL))
    file.write_text("[]")
    assert list(read_file(file, FormatName.SHAREGPT, SMALL)) == []


@pytest.mark.parametrize("content", [b"", b"\n\n", b"[]", b"PAR1 but no more"])
def test_a_file_without_rows_is_refused(content: bytes, tmp_path: Path, ledger: Ledger) -> None:
    file = tmp_path / "rows.jsonl"
    file.write_bytes(content)
    with pytest.raises(FormatError, match=r"expected (a|rows)"):
        imported(file, ledger)
    with pytest.raises(FormatError, match="expected a readable file"):
        imported(tmp_path / "none.jsonl", ledger)


def test_an_id_that_stands_twice_is_a_mistake_and_the_same_words_are_not(tmp_path: Path, ledger: Ledger) -> None:
    with pytest.raises(ImportRefused, match="3:1: id: expected each id once, found 'a' again"):
        imported(lines(tmp_path, GOOD, {**GOOD, "id": "a"}, {**GOOD, "id": "a"}), ledger)
    found = imported(lines(tmp_path, GOOD, GOOD, {**GOOD, "id": "a"}), ledger)
    assert (found.examples, found.twice) == (2, 1)


@pytest.mark.parametrize("change", ["example", "feedback", "rating"])
def test_what_cannot_be_of_an_example_of_ours_is_refused(change: str, tmp_path: Path, ledger: Ledger) -> None:
    known, said = example(1), feedback("f1", "e0001", 5)
    if change == "example":
        known = known.model_copy(update={"timestamp": NOW + timedelta(days=3)})
    if change == "feedback":
        said = said.model_copy(update={"timestamp": NOW + timedelta(days=3)})
    if change == "rating":
        said = said.model_copy(update={"rating": 6})
    file = tmp_path / "rows.jsonl"
    talk = Talk(messages=known.messages, tools=known.tools)
    write_file([Carried(talk, known, feedback=[said])], file, FormatName.OPENAI)
    wanted = (
        "rating: Input should be less than or equal to 5" if change == "rating" else "timestamp: expected a time up to"
    )
    with pytest.raises(ImportRefused, match=wanted):
        imported(file, ledger)
    assert ledger.count() == 0


def test_foreign_rows_say_where_they_are_from(tmp_path: Path, ledger: Ledger) -> None:
    imported(lines(tmp_path, {**GOOD, "id": "mine"}, GOOD), ledger)
    first, second = sorted(ledger.examples(), key=lambda one: one.provenance.imported_from or "")
    assert (first.id, first.provenance.imported_from) == ("mine", "rows.jsonl:1")
    assert (first.task_key, first.provenance.source, first.query) == ("tools", Source.MANUAL, "Pay.")
    assert second.provenance.imported_from == "rows.jsonl:2"
    assert first.labels.success is None
    assert first.labels.validation_confidence == 0


def test_an_interrupted_import_leaves_nothing(tmp_path: Path) -> None:
    url, file = f"sqlite:///{tmp_path}/ledger.db", tmp_path / "rows.jsonl"
    with Ledger.open(url), file.open("w") as out:
        for number in range(20_000):
            out.write(json.dumps({**GOOD, "id": f"r{number}"}) + "\n")
    code = (
        "import sys; from pathlib import Path; from evaluation.ledger import Ledger\n"
        "from evaluation.ledger.importing import ImportBatch\n"
        "from tests.training.formats.making import DEFAULT, SMALL\n"
        "from training.formats.importing import Importer; from training.formats.names import FormatName\n"
        "add = ImportBatch.add\n"
        "def told(self, *rows):\n    add(self, *rows); print('some', flush=True)\n"
        "ImportBatch.add = told\n"
        "with Ledger.open(sys.argv[1]) as ledger:\n"
        "    Importer(Path(sys.argv[2]), FormatName.OPENAI, DEFAULT, SMALL).run(ledger)\n"
    )
    for kind in (signal.SIGINT, signal.SIGKILL):
        with subprocess.Popen([sys.executable, "-c", code, url, str(file)], stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, text=True) as child:  # fmt: skip
            assert child.stdout is not None
            assert child.stdout.readline() == "some\n"
            child.send_signal(kind)
            assert child.wait() != 0
        with Ledger.open(url) as ledger:
            assert ledger.count() == 0
            assert ledger.runs() == ()


def test_the_longest_row_is_a_setting(tmp_path: Path) -> None:
    file = lines(tmp_path, row({"role": "user", "content": "x" * 1_500_000}, ANSWER))
    assert isinstance(next(iter(read_file(file, FormatName.OPENAI, SMALL))), Bad)
    assert isinstance(next(iter(read_file(file, FormatName.OPENAI, ReadingConfig(longest_row_mb=2)))), Good)
