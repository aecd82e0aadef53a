from __future__ import annotations

import asyncio

from evaluation.agents import attempt
from evaluation.models import ModelClient, Sampling, ScriptedModel
from evaluation.records import Episode, FailureKind, Message, StopReason
from evaluation.scenarios import Expected, Kind, ModelUser, Policy, Scenario, ScriptedUser, Slot
from tests.evaluation.attempts import call, calling, saying, scenario, want

SCRIPT = ScriptedUser(
    slots={
        "item": Slot(asked=("item", "what"), say="The cup."),
        "count": Slot(asked=("how many",), say="Two of them."),
    },
    then=("Thanks. And how many pens are left?",),
)
ORDER = scenario(Kind.DIALOGUE, Expected(calls=(want("order", item="cup", count=2),)), user=SCRIPT)


def talk(one: Scenario, *turns: Message, user_model: ModelClient | None = None) -> Episode:
    return asyncio.run(attempt(one, ScriptedModel(turns), sampling=Sampling(), user_model=user_model))


def said(episode: Episode) -> list[str]:
    return [m.content for m in episode.messages[episode.given :] if m.role == "user"]


def test_a_scripted_user_says_what_is_asked_for_and_agrees_and_goes_on() -> None:
    episode = talk(
        ORDER,
        saying("Which item, and how many?"),
        saying("Shall I order two cups?"),
        saying("What is your blood group?"),
        calling(call("order", item="cup", count=2)),
        saying("Ordered."),
        saying("1234 are left."),
    )
    assert said(episode) == [
        "The cup. Two of them.",
        "Yes, please go ahead.",
        "The cup.",
        "Thanks. And how many pens are left?",
    ]
    assert (episode.stop_reason, episode.answer) == (StopReason.ANSWERED, "1234 are left.")


def test_what_was_told_is_told_no_second_time_to_a_question_whether_to_go_ahead() -> None:
    episode = talk(
        ORDER,
        saying("Shall I order it? Which item?"),
        saying("Shall I order this item?"),
        saying("Shall I go ahead, and how many?"),
        saying("Which item was it?"),
        saying("Done."),
        saying("1234 are left."),
    )
    assert said(episode)[:4] == ["The cup.", "Yes, please go ahead.", "Two of them.", "The cup."]


def test_a_user_has_no_more_than_so_many_replies() -> None:
    short = ORDER.model_copy(update={"user": SCRIPT.model_copy(update={"replies": 1})})
    episode = talk(short, saying("Which item?"), saying("Which item?"))
    assert (said(episode), episode.stop_reason) == (["The cup."], StopReason.ANSWERED)


def test_a_model_plays_the_user_with_the_parts_exchanged_and_its_instructions() -> None:
    one = ORDER.model_copy(update={"user": ModelUser(instructions="You want two cups.")})
    seen: list[list[tuple[str, str]]] = []

    def user(messages: object, tools: object) -> Message:
        seen.append([(m.role, m.content) for m in messages])  # type: ignore[attr-defined]
        return saying("Two cups." if len(seen) == 1 else "[DONE]")

    episode = talk(one, saying("Which item?"), saying("Ordered."), user_model=ScriptedModel(user))
    assert said(episode) == ["Two cups."]
    assert seen[1][0][1].endswith("You want two cups.")
    assert seen[1][1:] == [
        ("assistant", "a dialogue thing"),
        ("user", "Which item?"),
        ("assistant", "Two cups."),
        ("user", "Ordered."),
    ]


def test_a_user_that_cannot_be_played_ends_the_episode() -> None:
    one = ORDER.model_copy(update={"user": ModelUser(instructions="You want two cups.")})
    alone = talk(one, saying("Which item?"))
    broken = talk(one, saying("Which item?"), user_model=ScriptedModel([]))
    for episode in (alone, broken):
        assert (episode.stop_reason, episode.failures[0].kind) == (StopReason.USER_ERROR, FailureKind.USER_ERROR)
    assert "--user-model" in alone.failures[0].message


def test_a_policy_stands_at_the_end_of_the_system_prompt() -> None:
    one = ORDER.model_copy(update={"policy": Policy(text="Never order pens.")})
    assert talk(one, saying("ok")).messages[0].content == "Use the tools.\n\nNever order pens."
    bare = one.model_copy(update={"messages": (Message(role="user", content="hi"),)})
    assert [m.role for m in bare.prompt] == ["system", "user"]
