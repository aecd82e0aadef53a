"""Agent `tools`: the model's own calls. Ask, make its calls, tell it the results, until it answers.

Where a tool ends the task (`completion`), its call ends the episode, and is refused after one of the same turn failed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from evaluation.records import StopReason, ToolCall

if TYPE_CHECKING:
    from evaluation.agents.attempt import Attempt


class ToolsAgent:
    """The native loop over tool calls."""

    name = "tools"

    async def run(self, at: Attempt) -> StopReason:
        """Drive the attempt; where the scenario stops at the calls, they are checked and not made."""
        while True:
            completion = await at.ask()
            calls = completion.message.tool_calls
            if calls and at.scenario.stop == "calls":
                at.check(calls)
                return StopReason.CALLED
            if await self._completed(at, calls):
                return StopReason.CALLED
            if calls:
                continue
            if completion.finish == "length":
                return StopReason.TOKEN_LIMIT
            if not await at.reply():
                return StopReason.ANSWERED

    async def _completed(self, at: Attempt, calls: Sequence[ToolCall]) -> bool:
        """Make the calls of one turn and return whether they have ended the task."""
        failed = completed = False
        for call in calls:
            ends = call.name in at.scenario.completion
            if ends and failed:
                at.refuse(call, f"{call.name} is refused: a call of the same turn failed. Look at the failure first")
                continue
            outcome = await at.call(call)
            failed = failed or outcome.failure is not None
            completed = completed or (ends and outcome.failure is None)
        return completed and not failed
