"""Prompt variants and seeds."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from evaluation.records import Labels, Metrics, Provenance, Source
from evaluation.scenarios import Part
from tests.training.synthesis.making import AT, SUITE, item
from training.guard import HeldOut
from training.synthesis.config import SynthesisError
from training.synthesis.prompts import NEEDED, shipped, variants_for
from training.synthesis.shots import seeds_of_examples, seeds_of_file

GUARD = HeldOut.of(SUITE.scenarios)
HELD = next(one for one in SUITE.scenarios if one.part == Part.HELD_OUT)


def test_every_shipped_variant_is_whole_and_says_its_placeholders() -> None:
    assert {one.name for one in shipped()} >= {"plain", "people", "short"}
    for one in shipped():
        assert set(one.sections) == set(NEEDED)
        assert one.about
        assert one.ref == f"{one.name}@{one.digest}"


@pytest.mark.parametrize(
    ("model", "names"),
    [
        ("template", {"plain"}),
        ("gpt-4o-mini", {"plain", "people"}),
        ("Qwen/Qwen2.5-0.5B-Instruct", {"plain", "short"}),
        ("agent:3", {"plain"}),
    ],
)
def test_variants_are_those_of_the_models_family(model: str, names: set[str]) -> None:
    assert {one.name for one in variants_for(model, ())} == names


def test_a_file_of_ones_own_takes_what_it_leaves_out_from_plain(tmp_path: Path) -> None:
    mine = tmp_path / "mine.md"
    mine.write_text('families: *\nabout: mine\n\n# new\n{tools}\n{assignments}\n{format} {"kept": 1}\n')
    (one,) = variants_for("any", [str(mine)])
    assert one.name == "mine"
    assert '{"kept": 1}' in one.said("new", {"tools": "T", "assignments": "A", "format": "F"})
    assert one.sections["retry"] == shipped()[1].sections["retry"]


def test_all_mistakes_of_all_files_are_told(tmp_path: Path) -> None:
    bad = tmp_path / "bad.md"
    bad.write_text("about: x\n# new\nnothing\n# what\n")
    with pytest.raises(SynthesisError) as error:
        variants_for("any", [str(bad), "nope"])
    for part in ("{tools}", "{assignments}", "# what", "nope.md: expected one of"):
        assert part in str(error.value)


def conversation(user: str) -> dict[str, object]:
    call = {"id": "c", "type": "function", "function": {"name": "read_page", "arguments": '{"page": 12}'}}
    return {
        "messages": [
            {"role": "user", "content": user},
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "c", "content": '{"text": "Be kind."}'},
            {"role": "assistant", "content": "It says: Be kind."},
        ]
    }


def test_a_seed_file_holds_items_and_conversations_and_never_what_is_held_out(tmp_path: Path) -> None:
    path = tmp_path / "seeds.jsonl"
    rows = [
        item().model_dump(mode="json"),
        conversation("Read page 12 to me"),
        item(user=HELD.query.upper()).model_dump(mode="json"),
        conversation(HELD.query),
        {"messages": [{"role": "user", "content": "one"}, {"role": "assistant", "content": "two"},
                      {"role": "assistant", "content": "three"}, {"role": "assistant", "content": "four"}]},
    ]  # fmt: skip
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = seeds_of_file(path, GUARD)
    assert {one.item.user for one in found.seeds} == {item().user, "Read page 12 to me"}
    assert (found.held_out, found.passed_over) == (2, 1)
    assert {one.origin for one in found.seeds} == {"seeds.jsonl:1", "seeds.jsonl:2"}


def test_a_line_that_is_no_seed_is_told_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "seeds.jsonl"
    path.write_text(json.dumps(item().model_dump(mode="json")) + '\n{"user": "x", "kind": "parallel"}\n')
    with pytest.raises(SynthesisError, match=r"seeds.jsonl:2.*expected 2 to 8"):
        seeds_of_file(path, GUARD)


def test_seeds_of_the_ledger_were_right_and_are_not_held_out() -> None:
    from evaluation.records import Example, Message, ToolCall

    call = ToolCall(id="c", name="read_page", arguments={"page": 1})
    turns = (
        Message(role="assistant", tool_calls=(call,)),
        Message(role="tool", content='{"text": "A"}', tool_call_id="c", name="read_page"),
        Message(role="assistant", content="A."),
    )

    def example(name: str, user: str, *, success: bool = True, part: str | None = None) -> Example:
        return Example(
            id=name, task_key="tools", query=user, timestamp=AT, tools=(), response="A.", tools_used=("read_page",),
            messages=(Message(role="user", content=user), *turns), labels=Labels(success=success, response_quality=4.0),
            metrics=Metrics(latency_ms=0, tokens_in=0, tokens_out=0, cost=0, model_calls=1),
            provenance=Provenance(source=Source.TEST, part=part, scenario_group="g"),
        )  # fmt: skip

    examples = [example("a", "Read page 1"), example("b", "Read it", success=False), example("c", "x", part="held_out"),
                example("d", HELD.query)]  # fmt: skip
    found = seeds_of_examples(examples, GUARD, frozenset({"read_page"}))
    assert [one.origin for one in found.seeds] == ["example:a"]
    assert found.seeds[0].group == "g"
    assert (found.held_out, found.passed_over) == (2, 1)
    assert seeds_of_examples(examples, GUARD, frozenset({"other"})).seeds == ()
    (private,) = seeds_of_examples([example("m", "Mail ann.lee@mailbox.org")], GUARD, frozenset({"read_page"})).seeds
    assert "mailbox" not in private.item.user
    assert "@" in private.item.user
