"""What is told to a model that got something wrong: it names the tool and shows the way out."""

from __future__ import annotations

from pathlib import Path

import pytest

from evaluation.protocols.codec import Codec
from evaluation.protocols.hints import repair_hint
from evaluation.protocols.load import builtin_protocols, load_protocol
from evaluation.protocols.mistakes import Mistake, find_mistakes, mistake_of
from evaluation.protocols.spec import ErrorKind, FailureClass
from evaluation.records import FailureKind, ToolCall
from tests.evaluation.attempts import call, calling, saying
from tests.evaluation.protocols.making import ROO_NATIVE, ROO_XML, native, pocket
from tests.evaluation.protocols.test_mistakes import DIFF, episode


def hint_for(made: ToolCall, codec: Codec = ROO_NATIVE, fails: FailureKind | None = None) -> str:
    found = find_mistakes(episode(calling(made), fails={0: fails} if fails else None), codec)
    return repair_hint(found[0], codec)


@pytest.mark.parametrize("failure", list(FailureClass))
def test_every_class_has_a_hint_in_every_protocol(failure: FailureClass, tmp_path: Path) -> None:
    codecs = [Codec(load_protocol(name), enc) for name in builtin_protocols() for enc in load_protocol(name).encodings]
    for codec in (*codecs, pocket(tmp_path, "xml")):
        tool = next(iter(codec.tools), "some_tool")
        hint = repair_hint(
            Mistake(failure=failure, turn=0, tool=tool, parameter="p", detail="expected x, found y"), codec
        )
        assert len(hint) > 30
        assert "{" not in hint.replace('{"', "").replace("{}", "").replace("={", "")


def test_a_missing_argument_is_named_and_the_call_is_shown_in_its_encoding() -> None:
    assert hint_for(call("write_to_file", path="a")) == (
        "Missing value for required parameter 'content' of write_to_file. Send the whole call again.\n\n"
        'Call it like this:\n{"name": "write_to_file", "arguments": {"path": "…", "content": "…"}}'
    )
    verdict = ROO_XML.check("<write_to_file><content>x</content></write_to_file>")
    mistake = mistake_of(verdict, ROO_XML)
    assert mistake is not None
    assert repair_hint(mistake, ROO_XML).endswith(
        "<write_to_file>\n<path>…</path>\n<content>\n…\n</content>\n</write_to_file>"
    )


def test_a_diff_is_told_its_line_and_its_form() -> None:
    hint = hint_for(call("apply_diff", path="a", diff=DIFF.format("old").replace("=======\n", "")))
    assert "line 4: expected the ======= marker next" in hint
    assert hint.endswith("=======\nnew lines\n>>>>>>> REPLACE")
    cline = Codec(load_protocol("cline"), "native")
    assert hint_for(call("replace_in_file", path="a", diff="x"), cline).endswith("new lines\n+++++++ REPLACE")
    assert "*** Begin Patch" in hint_for(call("apply_patch", patch="x"))


def test_text_that_is_not_found_sends_the_model_to_read_the_file() -> None:
    made = call("apply_diff", path="a", diff=DIFF.format("old"))
    assert "Read the file again with read_file" in hint_for(made, fails=FailureKind.TOOL_ERROR)


def test_an_unknown_tool_is_told_its_nearest() -> None:
    assert "Did you mean list_files?" in hint_for(call("list_file"))
    assert "Did you mean" not in hint_for(call("qqq"))


def test_prose_and_calls_as_text_are_told_the_notation() -> None:
    for text in ("Hm.", '{"name": "read_file"}'):
        (mistake,) = find_mistakes(episode(saying(text)), ROO_XML)
        assert repair_hint(mistake, ROO_XML).endswith("<tool_name>\n<parameter>value</parameter>\n</tool_name>")
    (mistake,) = find_mistakes(episode(saying("Hm.")), ROO_NATIVE)
    assert repair_hint(mistake, ROO_NATIVE).endswith("Use the API's tool calls.")


def test_a_verdict_becomes_a_mistake_or_none() -> None:
    assert mistake_of(ROO_NATIVE.check(native(("list_files", '{"path": "."}'))), ROO_NATIVE) is None
    mistake = mistake_of(ROO_NATIVE.check(native(("list_files", "{"))), ROO_NATIVE, turn=3)
    assert mistake is not None
    assert (mistake.failure, mistake.error, mistake.turn) == (FailureClass.MALFORMED_CALL, ErrorKind.MALFORMED_JSON, 3)
    assert "are no JSON" in repair_hint(mistake, ROO_NATIVE)


def test_the_mode_is_named() -> None:
    (mistake,) = find_mistakes(episode(calling(call("execute_command", command="ls"))), ROO_NATIVE, "ask")
    assert repair_hint(mistake, ROO_NATIVE, "ask").startswith(
        "execute_command is not allowed in ask mode: expected a tool of"
    )
