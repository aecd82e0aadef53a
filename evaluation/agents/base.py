"""What an agent is, and which there are.

An agent decides what the model is asked, when a tool is called and when an answer is given. All of them work through
`Attempt`, so whatever they do is recorded, limited and judged alike. An agent that asks for more than the next turn of
the conversation gives each kind of question its own task key, `<agent>.<step>`, so that each can be trained by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from evaluation.agents.backward import BackwardAgent
from evaluation.agents.flat import FlatAgent
from evaluation.agents.react import ReactAgent
from evaluation.agents.rebel import RebelAgent
from evaluation.agents.tools import ToolsAgent
from evaluation.records import StopReason

if TYPE_CHECKING:
    from evaluation.agents.attempt import Attempt


class Agent(Protocol):
    """Drives one attempt. Holds settings only: one agent makes many attempts at the same time."""

    @property
    def name(self) -> str:
        """What the episode records as its agent."""
        ...

    async def run(self, at: Attempt) -> StopReason:
        """Drive the attempt to its end and say how it ended. May raise `Stopped`, which `Attempt` raises at limits;
        anything else that it raises is recorded as the agent's failure.
        """
        ...


_AGENTS: dict[str, Callable[[], Agent]] = {
    "backward": BackwardAgent,
    "flat": FlatAgent,
    "react": ReactAgent,
    "rebel": RebelAgent,
    "tools": ToolsAgent,
}


def agent_names() -> list[str]:
    """Return the names of the agents that there are."""
    return sorted(_AGENTS)


def agent_named(name: str) -> Agent:
    """Return the agent of that name, with its usual settings. Raises `LookupError`."""
    if name not in _AGENTS:
        raise LookupError(f"expected an agent ({', '.join(agent_names())}), found {name!r}")
    return _AGENTS[name]()
