"""What a run may spend: a budget in money and tokens that all its clients share.

Decisions: before a call its dearest case is set aside: the prompt's tokens, by an estimate, and all the output tokens
that it may take. So the budget holds with hundreds of calls under way. While those may take what is left, a call waits;
where nothing is under way and it still does not fit, the budget is spent, and this call and all later ones fail with
kind `out_of_budget`. Calls that failed cost nothing, as far as anybody tells.
Limits: prices are those of the price table; what an endpoint really bills is on its invoice. One process. Where
GPU-hours are paid, nobody knows before what a call will take: nothing is set aside, and calls under way may pass it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from evaluation.clients.chat_api import estimated_tokens
from evaluation.clients.closing import close
from evaluation.models import Completion, ModelClient, ModelError, ModelErrorKind, Sampling
from evaluation.pricing import Price
from evaluation.records import Message, ToolSpec


class Spent(NamedTuple):
    """Money and tokens."""

    money: float = 0.0
    """In the currency of the price table."""
    tokens: int = 0
    """Input and output together."""

    def plus(self, other: Spent, sign: int = 1) -> Spent:
        return Spent(self.money + sign * other.money, self.tokens + sign * other.tokens)


@dataclass
class Budget:
    """One run's budget. Give each client of the run the same."""

    money: float | None = None
    """In the currency of the price table; None: any amount."""
    tokens: int | None = None
    """Input and output together; None: any number."""

    def __post_init__(self) -> None:
        wrong = [
            f"{name} {v}" for name, v in (("money", self.money), ("tokens", self.tokens)) if v is not None and v <= 0
        ]
        if wrong:
            raise ValueError(f"expected a budget above 0, found {', '.join(wrong)}")
        self.spent = Spent()
        """What finished calls took."""
        self.exhausted = False
        """Whether a call did not fit any more: the run can end."""
        self._set_aside = Spent()
        self._under_way = 0
        self._settled = asyncio.Condition()

    async def reserve(self, most: Spent) -> None:
        """Set aside what a call may take, waiting for calls under way where need be.

        Raises `ModelError` of kind `out_of_budget`.
        """
        async with self._settled:
            await self._settled.wait_for(lambda: self.exhausted or self._fits(most) or not self._under_way)
            if self.exhausted or not self._fits(most):
                self.exhausted = True
                self._settled.notify_all()
                raise ModelError(self._words(most), ModelErrorKind.OUT_OF_BUDGET)
            self._set_aside = self._set_aside.plus(most)
            self._under_way += 1

    async def settle(self, most: Spent, taken: Spent) -> None:
        """Give back what was set aside for a call, and count what it took."""
        self._set_aside = self._set_aside.plus(most, -1)
        self._under_way -= 1
        self.spent = self.spent.plus(taken)
        async with self._settled:
            self._settled.notify_all()

    def _fits(self, most: Spent) -> bool:
        money, tokens = self.spent.plus(self._set_aside).plus(most)
        return (self.money is None or money <= self.money) and (self.tokens is None or tokens <= self.tokens)

    def _words(self, most: Spent) -> str:
        parts = []
        if self.money is not None:
            parts.append(f"{self.spent.money:.6g} of {self.money:g} in money (the next call may cost {most.money:.2g})")
        if self.tokens is not None:
            parts.append(f"{self.spent.tokens} of {self.tokens} tokens (the next call may take {most.tokens})")
        return f"the run's budget is spent: {'; '.join(parts)}; raise it to go on"


class Budgeted:
    """A client whose calls are paid from a budget."""

    def __init__(self, model: ModelClient, budget: Budget, price: Price) -> None:
        self._model, self._budget, self._price = model, budget, price

    @property
    def name(self) -> str:
        return self._model.name

    @property
    def template_hash(self) -> str:
        return self._model.template_hash

    async def complete(self, messages: Sequence[Message], tools: Sequence[ToolSpec], sampling: Sampling) -> Completion:
        """Return the next assistant turn. Raises `ModelError`, of kind `out_of_budget` once the budget is spent."""
        tokens_in, tokens_out = estimated_tokens(messages, tools), sampling.max_tokens
        most = Spent(self._price.most(tokens_in, tokens_out), tokens_in + tokens_out)
        await self._budget.reserve(most)
        taken = Spent()
        try:
            completion = await self._model.complete(messages, tools, sampling)
            taken = self._taken(completion)
        finally:
            await self._budget.settle(most, taken)
        return completion

    def close(self) -> None:
        """Close the client."""
        close(self._model)

    def _taken(self, one: Completion) -> Spent:
        cost = self._price.of(one.tokens_in, one.tokens_out, cached=one.tokens_cached, latency_ms=one.latency_ms)
        return Spent(cost, one.tokens_in + one.tokens_out)
