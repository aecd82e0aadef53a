"""Attempts whose every step output is told beforehand."""

from __future__ import annotations

import asyncio

from evaluation.agents import Agent, Limits, attempt
from evaluation.models import Sampling, ScriptedModel
from evaluation.records import Episode, FailureKind
from evaluation.scenarios import Scenario
from tests.evaluation.attempts import saying


def drive(one: Scenario, agent: Agent, *replies: str, seed: int = 0, limits: Limits | None = None) -> Episode:
    """Attempt `one`; the model says `replies`, one a step, and all of them are asked for."""
    model = ScriptedModel([saying(reply) for reply in replies])
    sampling = Sampling(seed=seed)
    episode = asyncio.run(attempt(one, model, sampling=sampling, agent=agent, run_id="r", limits=limits))
    assert len(episode.steps) == len(replies), [(s.task_key, s.response.content) for s in episode.steps]
    assert FailureKind.MODEL_ERROR not in [failure.kind for failure in episode.failures]
    return episode


def order_of(episode: Episode) -> list[tuple[str, str]]:
    """Return each step's name and output."""
    return [(step.task_key.partition(".")[2], step.response.content) for step in episode.steps]


def made(episode: Episode) -> list[tuple[str, dict]]:
    return [(call.name, call.arguments) for call in episode.calls]


def shown(episode: Episode, number: int) -> str:
    """Return what the step of that number was about."""
    return episode.steps[number].messages[-1].content


def failures(episode: Episode) -> list[tuple[FailureKind, str]]:
    return [(failure.kind, failure.message) for failure in episode.failures]
