from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from evaluation.clients.budget import Budget, Budgeted, Spent
from evaluation.models import Completion, ModelError, ModelErrorKind, Sampling
from evaluation.pricing import Price
from evaluation.records import Message, ToolSpec

HI = (Message(role="user", content="hi"),)
PRICE = Price(name="m", input=1_000_000, output=1_000_000)
"""One unit of money a token."""


class Costly:
    """Takes 10 tokens in and `out` tokens out, in a moment; counts how many are under way."""

    name, template_hash = "m", ""

    def __init__(self, out: int = 10, fails: bool = False) -> None:
        self.out, self.fails = out, fails
        self.calls = self.under_way = self.most = 0

    async def complete(self, messages: Sequence[Message], tools: Sequence[ToolSpec], sampling: Sampling) -> Completion:
        self.calls += 1
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        await asyncio.sleep(0.001)
        self.under_way -= 1
        if self.fails:
            raise ModelError("no", ModelErrorKind.SERVER_ERROR)
        return Completion(Message(role="assistant", content="x"), 10, self.out, 1.0, "stop")


def spend(budget: Budget, model: Costly, calls: int, most_out: int) -> list[Completion | BaseException]:
    async def go() -> list[Completion | BaseException]:
        paid = Budgeted(model, budget, PRICE)
        asked = (paid.complete(HI, (), Sampling(max_tokens=most_out)) for _ in range(calls))
        return await asyncio.wait_for(asyncio.gather(*asked, return_exceptions=True), 20)

    return asyncio.run(go())


def kinds(results: list[Completion | BaseException]) -> set[ModelErrorKind]:
    return {error.kind for error in results if isinstance(error, ModelError)}


@pytest.mark.parametrize("budget", [Budget(money=500), Budget(tokens=500), Budget(money=500, tokens=10_000)])
def test_a_hundred_calls_at_once_stay_within_the_budget(budget: Budget) -> None:
    model = Costly()
    results = spend(budget, model, 100, most_out=20)
    answered = sum(isinstance(one, Completion) for one in results)
    assert budget.spent == Spent(answered * 20.0, answered * 20)
    assert 400 < budget.spent.tokens <= 500
    assert kinds(results) == {ModelErrorKind.OUT_OF_BUDGET}
    assert budget.exhausted
    assert model.calls == answered
    assert model.most > 1


def test_once_spent_every_further_call_fails_without_being_made() -> None:
    budget, model = Budget(tokens=30), Costly()
    first = spend(budget, model, 1, most_out=10)
    assert isinstance(first[0], Completion)
    error = spend(budget, model, 1, most_out=10)[0]
    assert isinstance(error, ModelError)
    assert "out_of_budget: the run's budget is spent: 20 of 30 tokens (the next call may take 19)" in str(error)
    assert error.kind.ends_run
    spend(budget, model, 5, most_out=1)
    assert model.calls == 1


def test_a_call_that_fails_gives_back_what_was_set_aside() -> None:
    budget = Budget(tokens=100)
    results = spend(budget, Costly(fails=True), 20, most_out=50)
    assert kinds(results) == {ModelErrorKind.SERVER_ERROR}
    assert (budget.spent, budget.exhausted) == (Spent(), False)


def test_a_call_that_is_cancelled_gives_back_what_was_set_aside() -> None:
    async def go() -> None:
        budget, model = Budget(tokens=100), Costly()
        paid = Budgeted(model, budget, PRICE)
        task = asyncio.create_task(paid.complete(HI, (), Sampling(max_tokens=80)))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await asyncio.wait_for(paid.complete(HI, (), Sampling(max_tokens=80)), 5)
        assert budget.spent.tokens == 20

    asyncio.run(go())


def test_no_budget_at_all_is_no_limit() -> None:
    assert kinds(spend(Budget(), Costly(), 50, most_out=10_000)) == set()


def test_budgets_of_nothing_are_refused() -> None:
    with pytest.raises(ValueError, match="found money 0, tokens -1"):
        Budget(money=0, tokens=-1)


def test_what_the_cache_held_and_how_long_it_took_is_what_is_paid() -> None:
    class Cached(Costly):
        async def complete(
            self, messages: Sequence[Message], tools: Sequence[ToolSpec], sampling: Sampling
        ) -> Completion:
            return Completion(Message(role="assistant"), 10, 5, 3_600_000.0, "stop", tokens_cached=8)

    async def paid(price: Price) -> Spent:
        budget = Budget(money=1000)
        await Budgeted(Cached(), budget, price).complete(HI, (), Sampling(max_tokens=5))
        return budget.spent

    tokens = Price(name="m", input=1_000_000, output=1_000_000, cached=0)
    assert asyncio.run(paid(tokens)) == Spent(2 + 5, 15)
    assert asyncio.run(paid(Price(name="m", gpu_hour=4, gpus=2))) == Spent(8, 15)
