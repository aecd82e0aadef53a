"""What a synthesis would ask and cost, before anything is sent.

Decisions: prompts are really rendered and their tokens estimated as for any budget; what a teacher writes is reckoned
at `TOKENS_PER_ITEM`, and at most at `max_tokens` a request. Everything is reckoned as if every item were kept, so that
it is the least: divide by the yield that you expect.
"""

from __future__ import annotations

import math
from collections import Counter

from evaluation.clients.chat_api import estimated_tokens
from evaluation.pricing import Price, PriceTable
from evaluation.records import Record
from training.synthesis.folder import Plan
from training.synthesis.items import Item, ItemCall
from training.synthesis.making import is_executed
from training.synthesis.planning import Planner, Request
from training.synthesis.shots import Shots

TOKENS_PER_ITEM = 160
"""Output tokens of an item, about."""
_TOKENS_PER_ANSWER = 40
_TOKENS_OF_RUBRIC = 150
"""What the judge is told beside the conversation, about."""
_SAMPLED = 50
"""Requests that are rendered."""


class Estimate(Record):
    """What would be asked, at the least."""

    examples: int
    requests: int
    """For items, and for final answers."""
    tokens_in: int
    """Of the teacher, as `tokens_out`."""
    tokens_out: int
    judgements: int
    """Requests to the judge: two for each example."""
    judge_cost: float
    cost: float
    """Of both."""
    most_cost: float
    """Where every answer is as long as it may be."""
    currency: str
    kinds: dict[str, int]
    """Items by kind, of those that were rendered."""
    tools: dict[str, int]
    first: Request
    """The first request, as it would be sent."""


def planner_of(plan: Plan) -> Planner:
    """Return the planner of a synthesis."""
    shots = Shots(plan.seeds, plan.config.shots, plan.seed)
    specs = [tool.spec() for tool in plan.tools]
    return Planner(plan.config, specs, plan.variants, shots, seeds=plan.seeds, seed=plan.seed)


def estimate(plan: Plan, prices: PriceTable, judge: Price | None = None) -> Estimate:
    """Return what a synthesis would ask and cost; `judge`: the price of the judge, if there is one.

    Raises `LookupError` for a teacher without a price.
    """
    config, planner = plan.config, planner_of(plan)
    wanted = max(config.count, sum(planner.missing(Counter()).values()))
    requests = planner.wave(0, min(wanted, _SAMPLED * config.ask.batch), Counter())
    items = sum(len(one.assignments) for one in requests)
    total = math.ceil(wanted * len(requests) / items)
    asked = _is_answer_asked(plan)
    per_item = TOKENS_PER_ITEM * sum(config.coverage.turns) // 2
    tokens_in = round(sum(estimated_tokens(one.messages) for one in requests) / len(requests) * total)
    tokens_out = per_item * wanted
    if asked:
        tokens_in += tokens_out + 300 * total
        tokens_out += _TOKENS_PER_ANSWER * wanted * sum(config.coverage.turns) // 2
    count = total * (2 if asked else 1)
    price = prices.price(plan.teacher_name)
    judged = 2 * wanted * (per_item + _TOKENS_OF_RUBRIC) if judge is not None else 0
    judge_cost = judge.of(judged, 2 * wanted) if judge is not None else 0.0
    assignments = [one for request in requests for one in request.assignments]
    return Estimate(
        examples=wanted,
        requests=count,
        tokens_in=tokens_in,
        tokens_out=tokens_out,
        judgements=2 * wanted if judge is not None else 0,
        judge_cost=judge_cost,
        cost=price.of(tokens_in, tokens_out) + judge_cost,
        most_cost=price.most(tokens_in, config.ask.max_tokens * count) + judge_cost,
        currency=prices.currency,
        kinds=dict(Counter(one.kind.value for one in assignments)),
        tools=dict(Counter(name for one in assignments for name in one.tools).most_common()),
        first=requests[0],
    )


def _is_answer_asked(plan: Plan) -> bool:
    """Whether final answers are asked for in requests of their own."""
    if plan.config.ask.answers != "auto":
        return plan.config.ask.answers == "ask"
    tools = {tool.name: tool for tool in plan.tools}
    return any(is_executed(Item(user="?", calls=(ItemCall(name=name),)), tools) for name in tools)
