"""What went wrong in an episode, by class: each class is shown by an episode that has it and one that does not."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from evaluation.protocols.codec import Codec
from evaluation.protocols.load import load_protocol
from evaluation.protocols.mistakes import Mistake, find_mistakes, turns_of
from evaluation.protocols.spec import FailureClass
from evaluation.records import Episode, Failure, FailureKind, Message, ModelCall, StopReason, ToolCall
from tests.evaluation.attempts import BY_ID, call, calling, follow, saying
from tests.evaluation.protocols.making import ROO_NATIVE, ROO_XML

OPENAI = Codec(load_protocol("openai"), "native")
DIFF = "<<<<<<< SEARCH\n{}\n=======\nnew\n>>>>>>> REPLACE"
READ = call("read_file", id="r", path="a")
DONE = call("attempt_completion", id="d", result="Done.")


def episode(
    *turns: Message, fails: dict[int, FailureKind] | None = None, answered: bool = True, **fields: Any
) -> Episode:
    """Return an episode of these assistant turns, each call answered; `fails`: by turn, how its first call fails."""
    said: list[Message] = [Message(role="user", content="Go on.")]
    failures = []
    for number, turn in enumerate(turns):
        said.append(turn)
        said += [
            Message(role="tool", content="{}", tool_call_id=c.id, name=c.name) for c in turn.tool_calls if answered
        ]
        if kind := (fails or {}).get(number):
            failures.append(Failure(kind=kind, message="no", turn=number, call_id=turn.tool_calls[0].id))
    figures = ModelCall(latency_ms=1.0, tokens_in=10, tokens_out=1, finish="stop")
    return Episode(
        **{
            "id": "e",
            "scenario_id": "s",
            "task_key": "t",
            "messages": tuple(said),
            "tools": (),
            "given": 1,
            "model_calls": (figures,) * len(turns),
            "failures": tuple(failures),
            "stop_reason": StopReason.ANSWERED,
            "seed": 0,
            "model": "m",
            "started_at": datetime(2026, 1, 1, tzinfo=UTC),
        }
        | fields
    )


def classes(found: tuple[Mistake, ...]) -> list[str]:
    return [str(mistake.failure) for mistake in found]


def of(*turns: Message, codec: Codec = ROO_NATIVE, mode: str | None = None, **fields: Any) -> list[str]:
    return classes(find_mistakes(episode(*turns, **fields), codec, mode))


@pytest.mark.parametrize(
    ("text", "native", "xml"),
    [
        ("All is well.", "no_call", "no_call"),
        ('{"name": "read_file", "arguments": {"path": "a"}}', "call_as_text", "call_as_text"),
        ("<read_file><path>a</path></read_file>", "call_as_text", None),
        ("<function=read_file>", "call_as_text", "call_as_text"),
        ("[TOOL_CALL]", "call_as_text", "call_as_text"),
        ("<think>I call <read_file> now</think>Well.", "call_in_reasoning", None),
        ("<thinking>Hm.</thinking>Well.", "no_call", "no_call"),
    ],
)
def test_a_turn_without_a_call(text: str, native: str, xml: str | None) -> None:
    assert of(saying(text)) == [native]
    if xml is not None:
        assert of(saying(text), codec=ROO_XML) == [xml]


def test_prose_is_fine_where_no_call_is_required_but_a_call_as_text_is_not() -> None:
    assert of(saying("5 degrees."), codec=OPENAI) == []
    assert of(saying('<tool_call>{"name": "x"}'), codec=OPENAI) == ["call_as_text"]


@pytest.mark.parametrize(
    ("made", "found"),
    [
        (READ, []),
        (call("open_file", path="a"), ["unknown_tool"]),
        (call("read_file"), ["missing_argument"]),
        (call("read_file", path=""), ["missing_argument"]),
        (call("read_file", path="a", offset=0), ["invalid_argument"]),
        (call("ask_followup_question", question="?", follow_up="yes"), ["not_an_array"]),
        (call("ask_followup_question", question="?"), ["not_an_array"]),
        (call("apply_patch", patch="no patch"), ["diff_grammar"]),
        (call("apply_diff", path="a", diff="no diff"), ["diff_grammar"]),
        (call("apply_diff", path="a", diff=DIFF.format("old")), []),
        (call("apply_diff", path="a", diff=DIFF.format("1 | old\n2 | old")), ["search_text"]),
        (call("edit", file_path="a", old_string="a &lt; b", new_string="c"), ["search_text"]),
        (call("write_to_file", path="a", content="x = 1\n# ... rest of the file unchanged"), ["truncated_file"]),
        (call("write_to_file", path="a", content="x = 1\n# the rest of us"), []),
        (call("attempt_completion", result="Done. Shall I go on?"), ["completion_asks"]),
    ],
)
def test_a_single_call(made: ToolCall, found: list[str]) -> None:
    assert of(calling(made)) == found


def test_a_call_is_judged_in_the_encoding_that_it_was_written_in() -> None:
    files = call("read_file", args=[{"path": "a"}])
    assert of(calling(files), codec=ROO_XML) == []
    assert of(calling(files)) == ["missing_argument"]
    assert of(calling(call("read_file", args=[])), codec=ROO_XML) == ["missing_argument"]


def test_a_text_that_is_not_found_is_known_from_the_tools_failure() -> None:
    diff = calling(call("apply_diff", path="a", diff=DIFF.format("old")))
    assert of(diff, fails={0: FailureKind.TOOL_ERROR}) == ["search_text"]
    (mistake,) = find_mistakes(episode(diff, fails={0: FailureKind.TOOL_ERROR}), ROO_NATIVE)
    assert (mistake.tool, mistake.call_id, mistake.parameter) == ("apply_diff", "c", "diff")


def test_calls_beside_each_other() -> None:
    task = call("new_task", id="n", mode="code", message="m", todos=None)
    assert of(calling(READ, call("list_files", id="l", path="."))) == []
    assert of(calling(READ, call("list_files", id="l", path=".")), codec=ROO_XML)[0] == "too_many_calls"
    assert of(calling(task)) == []
    assert of(calling(READ, task)) == ["not_alone"]
    assert of(calling(READ, DONE), fails={0: FailureKind.TOOL_ERROR}) == ["completed_after_failure"]
    assert of(calling(READ), calling(DONE), fails={0: FailureKind.TOOL_ERROR}) == []


def test_each_call_has_exactly_one_result() -> None:
    assert of(calling(READ), calling(DONE), answered=False) == ["result_mismatch", "result_mismatch"]
    assert of(calling(READ), calling(DONE), answered=False, stop_reason=StopReason.CALLED) == ["result_mismatch"]
    twice = episode(calling(READ))
    doubled = twice.model_copy(update={"messages": (*twice.messages, twice.messages[-1])})
    assert classes(find_mistakes(doubled, ROO_NATIVE)) == ["result_mismatch"]


@pytest.mark.parametrize(
    ("times", "kind", "found"),
    [
        (3, None, 0),
        (5, None, 2),
        (2, FailureKind.TOOL_ERROR, 0),
        (3, FailureKind.TOOL_TIMEOUT, 1),
        (2, FailureKind.INVALID_ARGUMENTS, 1),
    ],
)
def test_the_same_call_again(times: int, kind: FailureKind | None, found: int) -> None:
    fails = dict.fromkeys(range(times), kind) if kind is not None else None
    assert of(*[calling(READ)] * times, fails=fails) == ["repeated_call"] * found
    other = calling(call("list_files", path="."))
    assert of(*[calling(READ), other] * times, fails=fails) == []


@pytest.mark.parametrize(
    ("mode", "made", "found"),
    [
        ("ask", READ, []),
        ("ask", call("execute_command", command="ls"), ["not_allowed"]),
        ("architect", call("write_to_file", path="plan.md", content="x"), []),
        ("architect", call("write_to_file", path="a.py", content="x"), ["not_allowed"]),
        ("orchestrator", READ, ["not_allowed"]),
        ("orchestrator", DONE, []),
        (None, call("execute_command", command="ls"), []),
    ],
)
def test_a_mode_allows_its_groups(mode: str | None, made: ToolCall, found: list[str]) -> None:
    assert of(calling(made), mode=mode) == found


def test_an_unknown_mode_is_refused() -> None:
    with pytest.raises(ValueError, match=r"expected a mode of roo \(architect, .*\), found 'poet'"):
        find_mistakes(episode(), ROO_NATIVE, "poet")


@pytest.mark.parametrize(
    ("message", "found"),
    [
        ("unclosed_tool: expected </x>", "malformed_call"),
        ("malformed_json: expected JSON", "malformed_call"),
        ("multiple_tools: expected at most 1", "too_many_calls"),
        ("whatever an engine says", "malformed_call"),
    ],
)
def test_what_could_not_be_read_was_classified_at_the_boundary(message: str, found: str) -> None:
    failure = Failure(kind=FailureKind.MALFORMED_OUTPUT, message=message, turn=0)
    assert of(saying("<x>"), failures=(failure,)) == [found]
    assert of(calling(call("read_file")), failures=(failure,)) == [found]


def test_only_the_models_own_turns_count() -> None:
    earlier = (Message(role="user", content="?"), saying("earlier"), Message(role="user", content="and?"))
    scenario = BY_ID["near_twin"].model_copy(update={"messages": earlier})
    made = follow(scenario, calling(call("stock", item="pen")), saying("1,234"))
    assert [said.message.content for said in turns_of(made)] == ["", "1,234"]
    codec = Codec(load_protocol("openai"), "native", made.tools)
    assert find_mistakes(made, codec) == ()
    failed = follow(scenario, calling(call("stock", itme="pen")))
    assert classes(find_mistakes(failed, codec)) == ["missing_argument"]


def test_every_class_was_shown() -> None:
    text = Path(__file__).read_text(encoding="utf-8")
    assert [str(kind) for kind in FailureClass if f'"{kind}"' not in text] == []
