"""Which requests come next."""

from __future__ import annotations

from collections import Counter

import pytest
from pydantic import ValidationError

from evaluation.pricing import load_prices
from evaluation.scenarios import Kind
from tests.training.synthesis.making import READ, SEND, item, plan
from training.synthesis.config import (
    ITEM_KINDS,
    AskConfig,
    CoverageConfig,
    Encoding,
    ShotConfig,
    SynthesisConfig,
    TemperatureConfig,
    Variation,
)
from training.synthesis.estimate import estimate, planner_of
from training.synthesis.planning import Request
from training.synthesis.shots import Seed


def planned(config: SynthesisConfig, wanted: int, *, seeds: tuple[Seed, ...] = (), seed: int = 0) -> list[Request]:
    return planner_of(plan(config, seeds=seeds, seed=seed)).wave(0, wanted, Counter())


def seeds(count: int) -> tuple[Seed, ...]:
    texts = [f"Please open page {at} of book {'abc'[at % 3]} for me" for at in range(count)]
    return tuple(
        Seed(id=f"s{at}", item=item(user=text), quality=at % 6, origin="test") for at, text in enumerate(texts)
    )


def test_kinds_take_turns_and_tools_share_the_calls() -> None:
    lines = [line for request in planned(SynthesisConfig(), 40) for line in request.assignments]
    assert Counter(line.kind for line in lines) == dict.fromkeys(ITEM_KINDS, 8)
    called = Counter(name for line in lines for name in line.tools)
    assert abs(called["read_page"] - called["send_note"]) <= 8


def test_a_tool_that_lacks_examples_comes_first() -> None:
    config = SynthesisConfig(coverage=CoverageConfig(kinds=(Kind.ONE_CALL,), per_tool={"send_note": 8}))
    lines = [line for request in planned(config, 8) for line in request.assignments]
    assert {line.tools for line in lines} == {("send_note",)}
    planner = planner_of(plan(config))
    assert planner.missing(Counter(send_note=5)) == {"send_note": 3}
    assert planner.missing(Counter(send_note=8)) == {}


def test_no_more_is_asked_for_than_is_wanted() -> None:
    requests = planned(SynthesisConfig(ask=AskConfig(batch=4)), 10)
    assert [len(request.assignments) for request in requests] == [4, 4, 2]
    assert [request.id for request in requests] == ["r00000", "r00001", "r00002"]


def test_topics_variants_and_temperatures_go_round() -> None:
    config = SynthesisConfig(
        count=20,
        ask=AskConfig(batch=2),
        coverage=CoverageConfig(topics=("sea", "land")),
        temperature=TemperatureConfig(schedule="list", values=(0.1, 0.9)),
    )
    requests = planner_of(plan(config, prompts=("plain", "short"))).wave(0, 8, Counter())
    assert [request.temperature for request in requests] == [0.1, 0.9, 0.1, 0.9]
    assert [request.variant.split("@")[0] for request in requests] == ["plain", "short", "plain", "short"]
    assert [line.topic for line in requests[0].assignments] == ["sea", "land"]
    assert "topic: sea" in requests[0].messages[1].content


def test_the_same_seed_plans_the_same() -> None:
    config = SynthesisConfig()
    assert planned(config, 20, seeds=seeds(9)) == planned(config, 20, seeds=seeds(9))
    assert planned(config, 20, seeds=seeds(9)) != planned(config, 20, seeds=seeds(9), seed=1)


@pytest.mark.parametrize("selection", ["diversity", "quality", "random"])
def test_examples_are_fixed_or_drawn_for_each_request(selection: str) -> None:
    for fixed in (True, False):
        shots = ShotConfig.model_validate({"count": 3, "selection": selection, "fixed": fixed})
        shown = [request.shots for request in planned(SynthesisConfig(shots=shots), 30, seeds=seeds(30))]
        assert all(len(set(one)) == 3 for one in shown)
        assert (len(set(shown)) == 1) is fixed


def test_the_best_examples_are_the_best_and_diverse_ones_are_unlike() -> None:
    by_id = {seed.id: seed for seed in seeds(30)}
    best = planned(SynthesisConfig(shots=ShotConfig(count=4, selection="quality", fixed=True)), 5, seeds=seeds(30))
    assert {by_id[one].quality for one in best[0].shots} == {5.0}
    same = [Seed(id=f"x{at}", item=item(), origin="test") for at in range(20)]
    other = Seed(id="other", item=item(user="Send Ann a note"), origin="test")
    config = SynthesisConfig(shots=ShotConfig(count=2))
    for request in planned(config, 20, seeds=(*same, other)):
        assert "other" in request.shots


def test_a_seed_is_said_in_other_words() -> None:
    (request,) = planned(SynthesisConfig(variation=Variation.STYLE), 3, seeds=seeds(3))
    assert sorted(line.seed or "" for line in request.assignments) == ["s0", "s1", "s2"]
    assert "say this task in other words" in request.messages[1].content
    lines = [
        line
        for one in planned(SynthesisConfig(variation=Variation.MIXED), 10, seeds=seeds(3))
        for line in one.assignments
    ]
    assert sum(line.seed is not None for line in lines) == 5


def test_constrained_json_is_asked_for_with_its_schema_until_it_is_refused() -> None:
    config = SynthesisConfig(ask=AskConfig(encoding=Encoding.AUTO))
    planner = planner_of(plan(config))
    (request,) = planner.wave(0, 5, Counter())
    assert request.encoding is Encoding.JSON
    assert request.sampling().response_schema is not None
    blocks = planner.in_blocks(request)
    assert blocks.sampling().response_schema is None
    assert '<item n="NUMBER">' in blocks.messages[1].content
    assert planner.wave(1, 5, Counter())[0].encoding is Encoding.BLOCKS


def test_a_retry_shows_the_answer_and_what_was_wrong() -> None:
    planner = planner_of(plan())
    (request,) = planner.wave(0, 5, Counter())
    retry = planner.retry(request, 1, "what it wrote", {2: "no tool 'fly'"})
    assert retry.id == "r00000.1"
    assert [line.number for line in retry.assignments] == [2]
    assert retry.messages[2].content == "what it wrote"
    assert "2. no tool 'fly'" in retry.messages[3].content
    assert retry.seed != request.seed


def test_the_estimate_renders_what_would_be_sent() -> None:
    prices = load_prices().with_price("template", 10.0, 20.0)
    found = estimate(plan(SynthesisConfig(count=23)), prices)
    assert (found.examples, found.requests) == (23, 5)
    assert found.cost == pytest.approx((found.tokens_in * 10 + found.tokens_out * 20) / 1e6)
    assert found.cost <= found.most_cost
    assert READ.name in found.first.messages[1].content
    assert SEND.name in found.first.messages[1].content


@pytest.mark.parametrize(
    "values",
    [
        {"temperature": {"schedule": "linear", "values": [0.5]}},
        {"temperature": {"values": [3.0]}},
        {"coverage": {"kinds": ["dialogue"]}},
        {"coverage": {"kinds": []}},
        {"count": 0},
        {"spend": {"money": 0}},
        {"stop": {"min_yield": 2}},
    ],
)
def test_settings_that_make_no_sense_are_refused(values: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        SynthesisConfig.model_validate(values)


def test_a_linear_temperature_goes_from_the_first_to_the_last() -> None:
    linear = TemperatureConfig(schedule="linear", values=(0.2, 1.0))
    assert [linear.at(number, 5) for number in range(7)] == [0.2, 0.4, 0.6, 0.8, 1.0, 1.0, 1.0]
    assert linear.at(0, 1) == 0.2
