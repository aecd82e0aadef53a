"""Agents: what drives a model through a scenario, behind one protocol. `attempt` makes one attempt with one of them."""

from __future__ import annotations

from evaluation.agents.attempt import Attempt, Limits, Stopped, attempt, episode_id
from evaluation.agents.base import Agent, agent_named, agent_names
from evaluation.agents.tools import ToolsAgent

__all__ = [
    "Agent",
    "Attempt",
    "Limits",
    "Stopped",
    "ToolsAgent",
    "agent_named",
    "agent_names",
    "attempt",
    "episode_id",
]
