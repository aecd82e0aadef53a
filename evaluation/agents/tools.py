"""Agent `tools`: the model's own calls. Ask, make its calls, tell it the results, until it answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evaluation.records import StopReason

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
            for call in calls:
                await at.call(call)
            if calls:
                continue
            if completion.finish == "length":
                return StopReason.TOKEN_LIMIT
            if not await at.reply():
                return StopReason.ANSWERED
