"""How well a model keeps to its protocol: figures per episode and per suite, by failure class. Pure.

Decisions: a share of turns is averaged over episodes first, since the turns of one episode depend on each other; each
figure has its interval and says how many episodes it rests on. A result that is missing or given twice is the harness's
fault and is counted by itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from evaluation.protocols.codec import Codec
from evaluation.protocols.mistakes import Mistake, find_mistakes, turns_of
from evaluation.protocols.spec import FailureClass
from evaluation.records import Episode, Record
from evaluation.stats.intervals import Estimate, mean_interval, proportion

NOT_THE_MODELS = frozenset({FailureClass.RESULT_MISMATCH})
"""Classes that say nothing of the model."""
BANDS = 3
"""Into how many bands of equal size turns are put by the length of their prompt."""


class TurnMark(Record):
    """One turn, as far as figures go."""

    tokens_in: int
    """Prompt tokens."""
    mistakes: int
    """Of the model."""


class Adherence(Record):
    """One episode."""

    scenario_id: str
    turns: tuple[TurnMark, ...]
    calls: int
    mistakes: tuple[Mistake, ...]
    longest_run: int
    """Most turns with a mistake, one after another; turns without a call count from the rules' number on."""
    gave_up: bool
    """Whether the run reached the number of mistakes after which the user is asked."""

    @property
    def clean(self) -> bool:
        """Whether the model made no mistake."""
        return not any(turn.mistakes for turn in self.turns)

    @property
    def rate(self) -> float | None:
        """Share of turns without a mistake; None without a turn."""
        return sum(not turn.mistakes for turn in self.turns) / len(self.turns) if self.turns else None

    @property
    def counts(self) -> dict[FailureClass, int]:
        """How many mistakes there are of each class."""
        return dict(Counter(mistake.failure for mistake in self.mistakes))


class ClassFigures(Record):
    """One failure class over a suite."""

    mistakes: int
    episodes: Estimate
    """Share of episodes that have one."""


class ContextBand(Record):
    """Turns with prompts of like length: whether a model gets worse as its context fills."""

    tokens_low: int
    tokens_high: int
    """Prompt tokens of the shortest and of the longest."""
    turns: int
    clean: Estimate
    """Share of turns without a mistake, averaged over the episodes that have some here."""


class SuiteAdherence(Record):
    """Many episodes."""

    episodes: int
    turns: int
    clean_episodes: Estimate
    clean_turns: Estimate
    """Share of turns without a mistake, averaged over episodes."""
    gave_up: Estimate
    by_class: dict[FailureClass, ClassFigures]
    """Most frequent first."""
    by_context: tuple[ContextBand, ...]
    """Shortest prompts first; empty where there are fewer turns than bands."""


def adherence(episode: Episode, codec: Codec, mode: str | None = None) -> Adherence:
    """Return the figures of one episode. Raises `ValueError` as `find_mistakes` does."""
    mistakes = find_mistakes(episode, codec, mode)
    said = turns_of(episode)
    per_turn = Counter(mistake.turn for mistake in mistakes if mistake.failure not in NOT_THE_MODELS)
    forgiven = codec.protocol.rules.turns_without_call or 0
    run = longest = silent = 0
    for turn in said:
        kinds = {mistake.failure for mistake in mistakes if mistake.turn == turn.number} - NOT_THE_MODELS
        silent = silent + 1 if kinds == {FailureClass.NO_CALL} else 0
        counts = bool(kinds) and not 0 < silent <= forgiven
        run = run + 1 if counts else run if silent else 0
        longest = max(longest, run)
    limit = codec.protocol.rules.mistakes_in_a_row
    return Adherence(
        scenario_id=episode.scenario_id,
        turns=tuple(TurnMark(tokens_in=turn.tokens_in, mistakes=per_turn[turn.number]) for turn in said),
        calls=sum(len(turn.message.tool_calls) for turn in said),
        mistakes=mistakes,
        longest_run=longest,
        gave_up=limit is not None and longest >= limit,
    )


def suite_adherence(episodes: Sequence[Adherence]) -> SuiteAdherence:
    """Return the figures of many episodes; those without a turn have no say in shares of turns."""
    rates = [rate for one in episodes if (rate := one.rate) is not None]
    counts = Counter(mistake.failure for one in episodes for mistake in one.mistakes)
    having = Counter(failure for one in episodes for failure in one.counts)
    return SuiteAdherence(
        episodes=len(episodes),
        turns=sum(len(one.turns) for one in episodes),
        clean_episodes=proportion(sum(one.clean for one in episodes), len(episodes)),
        clean_turns=mean_interval(np.array(rates)),
        gave_up=proportion(sum(one.gave_up for one in episodes), len(episodes)),
        by_class={
            failure: ClassFigures(mistakes=number, episodes=proportion(having[failure], len(episodes)))
            for failure, number in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        },
        by_context=tuple(_bands(episodes)),
    )


def _bands(episodes: Sequence[Adherence]) -> Iterable[ContextBand]:
    turns = sorted(
        (turn.tokens_in, number, not turn.mistakes) for number, one in enumerate(episodes) for turn in one.turns
    )
    for band in np.array_split(np.array(turns), BANDS) if len(turns) >= BANDS else ():
        owners = np.unique(band[:, 1])
        rates = np.array([band[band[:, 1] == owner, 2].mean() for owner in owners])
        yield ContextBand(
            tokens_low=int(band[0, 0]), tokens_high=int(band[-1, 0]), turns=len(band), clean=mean_interval(rates)
        )


def leanness(spent: int, leanest: int) -> float:
    """Return the low-token score, 0 to 1: tokens of the leanest passing episode over the tokens spent.

    An episode that spent less than the leanest known one is the leanest. Raises `ValueError` below one token.
    """
    if min(spent, leanest) < 1:
        raise ValueError(f"expected at least one token, found {spent} spent and {leanest} for the leanest")
    return min(1.0, leanest / spent)


def leanest_passing(episodes: Iterable[tuple[Episode, bool]]) -> Mapping[str, int]:
    """Return by scenario the fewest tokens, prompt and output together, of an episode that passed."""
    least: dict[str, int] = {}
    for episode, passed in episodes:
        tokens = episode.tokens_in + episode.tokens_out
        if passed:
            least[episode.scenario_id] = min(tokens, least.get(episode.scenario_id, tokens))
    return least
