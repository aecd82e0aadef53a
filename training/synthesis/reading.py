"""From the answers to one request to its items: each asked-for item finds its place, or says why it has none.

Decisions: an item is known by the number that the teacher gave it, else by its place among those without one. What was
asked to be said in other words keeps the seed's calls, whatever the teacher wrote of them, and has to say every value
that the seed says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from evaluation.generate.saying import says_all
from evaluation.records import Validation
from evaluation.scenarios import ToolDef
from training.synthesis.encoding import Read
from training.synthesis.items import Item, item_mistakes
from training.synthesis.making import Played, call_mistakes
from training.synthesis.planning import Assignment
from training.synthesis.shots import Seed
from training.synthesis.yields import Outcome


@dataclass
class Slot:
    """One item that was asked for, while it is made."""

    assignment: Assignment
    item: Item | None = None
    """What can be used."""
    text: str = ""
    """As the teacher wrote it last."""
    repairs: tuple[str, ...] = ()
    problem: str = "nothing was written for it"
    """Why there is no item."""
    outcome: Outcome = Outcome.MISSING
    mended: bool = False
    played: Played | None = None
    judged: Validation | None = None

    def drop(self, outcome: Outcome, problem: str) -> None:
        """Say that it comes to nothing, and why."""
        self.outcome, self.problem = outcome, problem

    @property
    def open(self) -> bool:
        """Whether it may still become an example."""
        return self.item is not None and self.outcome is Outcome.KEPT


def place(reads: Sequence[Read], slots: Mapping[int, Slot]) -> tuple[list[tuple[Slot, Read]], int]:
    """Return which item goes where, and how many nobody had asked for."""
    placed: dict[int, Read] = {}
    unasked = 0
    for read in reads:
        if read.number is None:
            continue
        if read.number in slots and read.number not in placed:
            placed[read.number] = read
        else:
            unasked += 1
    free = [number for number in slots if number not in placed]
    for read in (one for one in reads if one.number is None):
        if free:
            placed[free.pop(0)] = read
        else:
            unasked += 1
    return [(slots[number], read) for number, read in placed.items()], unasked


def take(slot: Slot, read: Read, tools: Mapping[str, ToolDef], *, seed: Seed | None, answered: bool) -> None:
    """Put what was read into its slot, or say there what is wrong with it.

    `answered`: the item has to hold its own answer, unless one of its calls is executed here.
    """
    slot.text, slot.repairs = read.text, read.repairs
    if read.item is None:
        slot.drop(Outcome.MALFORMED, read.error)
        return
    item = read.item.model_copy(update={"kind": read.item.kind or slot.assignment.kind})
    if seed is not None:
        item = _in_other_words(item, seed.item)
    if wrong := item_mistakes(item, answered=answered):
        slot.drop(Outcome.MALFORMED, "; ".join(wrong))
    elif len(item.then) != (wanted := len(seed.item.then if seed is not None else slot.assignment.then)):
        slot.drop(Outcome.MALFORMED, f"then: expected {wanted} further requests of the user, found {len(item.then)}")
    elif wrong := [*call_mistakes(item, tools), *(_unsaid(item, seed.item) if seed is not None else ())]:
        slot.drop(Outcome.INVALID, "; ".join(wrong))
    else:
        slot.item, slot.outcome, slot.problem = item, Outcome.KEPT, ""


def _in_other_words(item: Item, seed: Item) -> Item:
    """Return the seed's task as the item says it."""
    said = {"user": item.user, "question": item.question, "reply": item.reply, "answer": item.answer}
    then = item.then
    if len(then) == len(seed.then):
        then = tuple(
            before.model_copy(update={"user": now.user, "answer": now.answer or before.answer})
            for before, now in zip(seed.then, then, strict=True)
        )
    return seed.model_copy(update={name: text for name, text in said.items() if text} | {"then": then})


def _unsaid(item: Item, seed: Item) -> list[str]:
    before, now = " ".join(seed.all_said), " ".join(item.all_said)
    lost = [
        value
        for call in seed.all_calls
        for value in says_all(now, call.arguments)
        if value not in says_all(before, call.arguments)
    ]
    return [f"the user does not say {', '.join(map(repr, lost))} any more"] if lost else []
