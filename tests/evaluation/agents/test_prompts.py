from __future__ import annotations

import pickle
from random import Random

import pytest

from evaluation.agents.backward import OTHERS, BackwardAgent, BackwardSettings
from evaluation.agents.flat import NO_TOOL, FlatSettings
from evaluation.agents.parsing import choice, extracted, json_object, lines, move, some_text, yes_or_no
from evaluation.agents.prompts import Context, Fact, parameter_type, prompt, step_texts
from evaluation.agents.react import ReactSettings
from evaluation.agents.rebel import NO_TOOL as NONE_NEEDED
from evaluation.agents.rebel import RebelSettings
from evaluation.agents.steps import StepSettings
from evaluation.records import Message

READERS = {
    "step": move,
    "split": lines,
    "input": json_object,
    "memory_check": yes_or_no,
    "answer": some_text,
    "compose": some_text,
    "extract": lambda text: extracted(text, {}),
    "pick": lambda text: choice(text, {str(number): number for number in range(-1, 5)}),
}
KEYS = [
    "react.step",
    *(f"flat.{step}" for step in ("split", "pick", "input", "memory_check", "answer")),
    *(f"rebel.{step}" for step in ("split", "memory_check", "pick", "input", "answer")),
    *(f"backward.{step}" for step in ("pick", "split", "extract", "compose")),
]


def test_every_step_has_a_text_of_its_own() -> None:
    texts = step_texts()
    assert list(texts) == KEYS
    assert len({text.system for text in texts.values()}) == len(texts)


@pytest.mark.parametrize("key", KEYS)
def test_the_examples_say_what_the_step_can_read(key: str) -> None:
    text = step_texts()[key]
    assert len(text.examples) >= 2
    for one in text.examples:
        assert READERS[key.partition(".")[2]](one.reply) is not None, one
        assert list(one.sections)[-1] in ("Question", "Result", "So far", "Text")


@pytest.mark.parametrize(("agent", "others"), [("flat", NO_TOOL), ("rebel", NONE_NEEDED), ("backward", OTHERS)])
def test_the_examples_of_a_choice_offer_what_the_agent_offers(agent: str, others: dict[int, str]) -> None:
    for one in step_texts()[f"{agent}.pick"].examples:
        listed = one.sections["Tools"].splitlines()
        assert all(f"{number}. {text}" in listed for number, text in others.items())
        assert one.reply in {line.partition(".")[0] for line in listed}


def test_examples_are_drawn_and_shown_as_turns() -> None:
    shown = prompt("flat.split", {"Question": "Why?", "Empty": ""}, 2, Random(1))
    assert [m.role for m in shown] == ["system", "user", "assistant", "user", "assistant", "user"]
    assert shown[-1] == Message(role="user", content="Question: Why?")
    assert shown == prompt("flat.split", {"Question": "Why?"}, 2, Random(1))
    assert len({prompt("flat.split", {"Question": "Why?"}, 2, Random(seed)) for seed in range(8)}) > 2
    assert len(prompt("flat.split", {}, 99, Random(0))) == 2 + 2 * len(step_texts()["flat.split"].examples)


def test_sections_stand_in_their_order() -> None:
    known = Context("Why?", "Be kind.", "User: Hi.").knowing(Fact("A?", "b"), Fact("C?", "lost", found=False))
    sections = known.sections({"Result": "{}"}, Tool="t")
    assert list(sections) == ["Instructions", "Conversation", "Known", "Tool", "Question", "Result"]
    assert sections["Known"] == "A? b\nC? not known (lost)"


def test_a_parameter_is_described_in_words() -> None:
    assert (
        parameter_type({"type": "integer", "description": "nights"}, optional=True) == "whole number, optional (nights)"
    )
    assert parameter_type({"enum": ["a", 1]}) == 'one of ["a", 1]'
    assert parameter_type(True) == "text"


@pytest.mark.parametrize(
    "settings", [StepSettings(tries=2), ReactSettings(), FlatSettings(), RebelSettings(depth=1), BackwardSettings()]
)
def test_settings_can_be_sent_elsewhere(settings: object) -> None:
    assert pickle.loads(pickle.dumps(settings)) == settings
    assert BackwardAgent(BackwardSettings(depth=9)).settings.depth == 9
