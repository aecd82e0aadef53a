"""One reviewer at one queue: show an item, take a key, write the answer, go on.

Decisions: an answer is in the ledger before the next item is shown, so that leaving in whatever way loses nothing; what
was skipped comes back in the next session. Undo takes back this session's answers, the last first, and asks again.
Keys and editor are handed in.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from rich.console import Console
from rich.text import Text

from cluster.episode_text import clean_text
from cluster.review_view import (
    EXAMPLE_KEYS,
    RECOVERY_KEYS,
    print_item,
    print_keys,
    print_recovery,
    print_sites,
    print_tools,
)
from cluster.terminal_keys import END, ESCAPE, EditorError
from evaluation.corrections import (
    CallSite,
    call_mistakes,
    call_sites,
    kept_arguments,
    with_answer,
    with_call,
    with_new_call,
)
from evaluation.ledger import Ledger
from evaluation.ledger.collected import (
    LabelRecord,
    LabelSource,
    LabelVerdict,
    RecoveryAnswer,
    RecoveryRecord,
    ReviewItem,
    ReviewKind,
)
from evaluation.ledger.reviews import NoReview, ReviewTaken
from evaluation.ledger.store import utc_now
from evaluation.records import Example, RecoveryStrategy, ToolCall, ToolSpec, stable_id

Keys = Callable[[], str]
Edit = Callable[[str, str], str]
"""Takes a text and the suffix of its kind; returns it as a person leaves it. Raises `EditorError`."""
_STRATEGIES = {
    "c": RecoveryStrategy.CLARIFY,
    "r": RecoveryStrategy.RETRY,
    "f": RecoveryStrategy.FALLBACK,
    "g": RecoveryStrategy.GRACEFUL_FAIL,
}


@dataclass(frozen=True)
class Asked:
    """Which items a reviewer wants."""

    queue: str
    reviewer: str
    lease_s: float
    task_key: str | None = None


@dataclass
class Session:
    """What came of a session so far."""

    answered: list[str] = field(default_factory=list)
    """Items, in the order of the answers; what was undone is no longer among them."""
    skipped: list[str] = field(default_factory=list)
    emptied: bool = False
    """Whether it ended because nothing was left that nobody else has before them."""


class After(StrEnum):
    """What a key leads to."""

    STAY = "stay"
    NEXT = "next"
    LEAVE = "leave"


class Desk:
    """A session at a queue."""

    def __init__(
        self,
        ledger: Ledger,
        out: Console,
        asked: Asked,
        *,
        keys: Keys,
        edit: Edit,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self.session = Session()
        self._ledger, self._out, self._asked = ledger, out, asked
        self._keys, self._edit, self._clock = keys, edit, clock

    def run(self) -> Session:
        """Go through the queue until nothing is left or the reviewer leaves; what is held then is given back."""
        asked, item = self._asked, None
        try:
            while item := self._ledger.lease_review(
                asked.queue, asked.reviewer, asked.lease_s, excluded=self.session.skipped, task_key=asked.task_key
            ):
                if self._review(item) is After.LEAVE:
                    break
            self.session.emptied = item is None
        finally:
            if item is not None:
                self._ledger.release_review(item.id, asked.reviewer)
        return self.session

    def _review(self, item: ReviewItem) -> After:
        example = self._ledger.example(item.example_id)
        recovery = self._ledger.recovery(item.id) if item.kind is ReviewKind.RECOVERY else None
        self._show(item, example, recovery)
        while True:
            key = self._keys()
            if key in (END, "x"):
                return After.LEAVE
            self._ledger.renew_review(item.id, self._asked.reviewer, self._asked.lease_s)
            try:
                after = self._common(key, item, example, recovery)
                if after is None:
                    label = self._of_recovery(key, item, recovery) if recovery else self._of_example(key, item, example)
                    after = After.STAY if label is None else self._answer(item, label)
            except (EditorError, ReviewTaken, NoReview) as error:
                self._say(str(error), "yellow")
                after = After.NEXT if isinstance(error, ReviewTaken) else After.STAY
                if after is After.NEXT:
                    self.session.skipped.append(item.id)
            if after is not After.STAY:
                return after

    def _show(
        self, item: ReviewItem, example: Example, recovery: RecoveryRecord | None, *, whole: bool = False
    ) -> None:
        waiting = self._ledger.waiting_reviews(item.queue, self._asked.reviewer, self._asked.task_key)
        progress = f"{len(self.session.answered)} answered, {waiting} waiting for {self._asked.reviewer}"
        print_item(self._out, item, example, progress=progress, whole=whole)
        if recovery is not None:
            print_recovery(self._out, recovery, example)
        print_keys(self._out, RECOVERY_KEYS if recovery else EXAMPLE_KEYS, whole=False)

    def _common(self, key: str, item: ReviewItem, example: Example, recovery: RecoveryRecord | None) -> After | None:
        """Do what a key means for any item; None where it means nothing of the kind."""
        match key:
            case "s":
                self.session.skipped.append(item.id)
                self._ledger.release_review(item.id, self._asked.reviewer)
                return After.NEXT
            case "u":
                return self._undo(item)
            case "v":
                self._show(item, example, recovery, whole=True)
            case "?":
                print_keys(self._out, RECOVERY_KEYS if recovery else EXAMPLE_KEYS, whole=True)
            case _ if key not in (RECOVERY_KEYS if recovery else EXAMPLE_KEYS):
                if key.strip() and key != ESCAPE:
                    self._say(f"{key} means nothing here; ? for help", "yellow")
            case _:
                return None
        return After.STAY

    def _undo(self, item: ReviewItem) -> After:
        if not self.session.answered:
            self._say("Nothing was answered in this session yet", "yellow")
            return After.STAY
        last = self.session.answered.pop()
        taken = self._ledger.undo_review(last, self._asked.reviewer)
        self._ledger.release_review(item.id, self._asked.reviewer)
        self._ledger.renew_review(last, self._asked.reviewer, self._asked.lease_s)  # so that it comes next
        self._say(f"Taken back: {taken.verdict.value}, of example {taken.example_id}")
        return After.NEXT

    def _answer(self, item: ReviewItem, label: LabelRecord) -> After:
        now = self._ledger.answer_review(item.id, label)
        self.session.answered.append(item.id)
        self._say(f"✓ {label.verdict.value} · review {now.status.value}", "green")
        return After.NEXT

    def _of_example(self, key: str, item: ReviewItem, example: Example) -> LabelRecord | None:
        match key:
            case "a":
                return self._label(item, LabelVerdict.ACCEPT)
            case "r":
                return self._label(item, LabelVerdict.REJECT)
            case "q":
                rated = self._number("Quality, from useless to perfect", range(6))
                return None if rated is None else self._label(item, LabelVerdict.RATE, response_quality=float(rated))
            case "t":
                return self._other_tool(item, example)
        return self._edited(item, example)

    def _of_recovery(self, key: str, item: ReviewItem, recovery: RecoveryRecord) -> LabelRecord | None:
        if key == "n":
            return self._label(item, LabelVerdict.REJECT, recovery=RecoveryAnswer())
        told = f"# What should have been said or called ({_STRATEGIES[key].value}). This line is left out.\n"
        text = self._edit(told + (recovery.correct_response or recovery.incorrect_response) + "\n", ".txt")
        said = text.removeprefix(told).strip()
        if not said:
            self._say("Nothing was written: no answer given", "yellow")
            return None
        answer = RecoveryAnswer(strategy=_STRATEGIES[key], correct_response=said)
        return self._label(item, LabelVerdict.CORRECT, recovery=answer)

    def _other_tool(self, item: ReviewItem, example: Example) -> LabelRecord | None:
        """Ask which tool would have been right, and for its arguments where those of the call do not fit it."""
        sites = call_sites(example.messages)
        site = self._site(sites)
        if (sites and site is None) or not example.tools:
            self._say("No tool was chosen" if example.tools else "No tools were offered: e edits the answer", "yellow")
            return None
        print_tools(self._out, example.tools)
        number = self._number("Which tool", range(len(example.tools) + 1))
        if number is None:
            return None
        if number == 0:
            return self._answered(item, example, site)
        tool = example.tools[number - 1]
        arguments: Mapping[str, Any] | None = kept_arguments(site.call, tool) if site else {}
        if call_mistakes(tool.name, arguments, example.tools):
            arguments = self._arguments(tool, arguments or {}, example)
        if arguments is None:
            return None
        return self._corrected(item, example, site, ToolCall(id="", name=tool.name, arguments=dict(arguments)))

    def _edited(self, item: ReviewItem, example: Example) -> LabelRecord | None:
        """Let the arguments of a call be edited, or the answer where there is none."""
        sites = call_sites(example.messages)
        if not sites:
            return self._answered(item, example, None)
        site = self._site(sites)
        if site is None:
            return None
        tool = next((tool for tool in example.tools if tool.name == site.call.name), None)
        if tool is None:
            self._say(f"{site.call.name} is none of the offered tools: t chooses another", "yellow")
            return None
        arguments = self._arguments(tool, site.call.arguments, example)
        if arguments is None:
            return None
        if arguments == site.call.arguments:
            self._say("Nothing was changed: no answer given", "yellow")
            return None
        return self._corrected(item, example, site, ToolCall(id="", name=tool.name, arguments=arguments))

    def _answered(self, item: ReviewItem, example: Example, site: CallSite | None) -> LabelRecord | None:
        """Let the answer be written that would have been right: in place of a call's turn, or of the last."""
        before = example.response if site is None else ""
        text = self._edit(before, ".txt").strip()
        if not text or text == before.strip():
            self._say("Nothing was written: no answer given", "yellow")
            return None
        messages = with_answer(example.messages, text, None if site is None else site.turn)
        return self._label(item, LabelVerdict.CORRECT, messages=messages, correct_tool_selection=site is None)

    def _corrected(self, item: ReviewItem, example: Example, site: CallSite | None, call: ToolCall) -> LabelRecord:
        messages = (
            with_new_call(example.messages, call.name, call.arguments)
            if site is None
            else with_call(example.messages, site, call.name, call.arguments)
        )
        same_tool = site is not None and site.call.name == call.name
        self._say(f"{call.name} {json.dumps(call.arguments, ensure_ascii=False)}")
        return self._label(item, LabelVerdict.CORRECT, messages=messages, correct_tool_selection=same_tool)

    def _arguments(self, tool: ToolSpec, arguments: Mapping[str, Any], example: Example) -> dict[str, Any] | None:
        """Let arguments be edited until they fit the tool's schema; None where the reviewer gives up."""
        text = json.dumps(dict(arguments), indent=1, ensure_ascii=False) + "\n"
        schema = json.dumps(tool.parameters, ensure_ascii=False)
        told = f"# Arguments of {tool.name}, as JSON. These lines are left out.\n# Schema: {schema}\n"
        while True:
            text = self._edit(told + text, ".json").removeprefix(told)
            try:
                given = json.loads(text)
                mistakes = call_mistakes(tool.name, given, example.tools)
            except (ValueError, RecursionError) as error:
                mistakes = [f"expected JSON, found {error}"]
            if not mistakes:
                return dict(given)
            for mistake in mistakes:
                self._say(mistake, "red")
            self._say("e to edit again, any other key to give up")
            if self._keys() != "e":
                return None

    def _site(self, sites: list[CallSite]) -> CallSite | None:
        if len(sites) < 2:
            return sites[0] if sites else None
        print_sites(self._out, sites)
        number = self._number("Which call", range(1, len(sites) + 1))
        return None if number is None else sites[number - 1]

    def _number(self, what: str, among: range) -> int | None:
        """Ask for a number; at once where one digit is enough, else up to Enter. None where none of them is given."""
        self._say(f"{what} ({among.start}–{among.stop - 1})?")
        typed = self._keys()
        while among.stop > 10 and (key := self._keys()).isdigit():
            typed += key
        if typed.isascii() and typed.isdigit() and int(typed) in among:
            return int(typed)
        found = (
            f": expected a number from {among.start} to {among.stop - 1}, found {typed}" if typed.isprintable() else ""
        )
        self._say(f"Left as it was{found}", "yellow")
        return None

    def _label(self, item: ReviewItem, verdict: LabelVerdict, **said: Any) -> LabelRecord:
        at = self._clock()
        return LabelRecord(
            id=stable_id("answer", item.id, self._asked.reviewer, at.isoformat()),
            example_id=item.example_id,
            by=self._asked.reviewer,
            source=LabelSource.REVIEW,
            verdict=verdict,
            confidence=1.0,
            review_id=item.id,
            at=at,
            **said,
        )

    def _say(self, text: str, style: str = "") -> None:
        self._out.print(Text(clean_text(text), style))
