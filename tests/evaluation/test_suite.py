"""Templates into scenarios: a small suite written here, its mistakes, and the claims on the built-in one."""

from __future__ import annotations

import copy
import json
import time
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import pytest
import yaml

from evaluation.alternatives import alternatives
from evaluation.filling import answer_mistakes
from evaluation.pools import Pool, Values, parse_pattern, shares
from evaluation.records import FailureKind, RecoveryStrategy, ToolCall
from evaluation.scenarios import TEMPLATE_KINDS, Kind, Part, Scenario
from evaluation.splits import Suite, check_split, normalised
from evaluation.suite import SuiteError, draw_further, expand, intent_of, load, require_parts
from evaluation.template_checks import read_template
from evaluation.templates import SUITES
from evaluation.tools.execute import ToolBox

SMALL = {Part.TRAIN: 40, Part.HELD_OUT: 20, Part.LIVE: 20}


def stock(world: dict[str, Any], item: str, count: int = 1) -> dict[str, Any]:
    return {"item": item, "price": len(item) * count + 0.5, "parts": {"code": item.upper()}, "left": 1200}


def _tool(name: str, **more: Any) -> dict[str, Any]:
    properties = {"item": {"type": "string"}, "count": {"type": "integer"}}
    parameters = {"type": "object", "properties": properties, "required": ["item"], "additionalProperties": False}
    function = "tests.evaluation.test_suite:stock"
    return {"name": name, "description": name, "parameters": parameters, "function": function, **more}


def _phrasings(text: str) -> list[str]:
    return [
        f"{text} version {word}" for word in ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
    ]


SUITE: dict[str, Any] = {
    "name": "mini",
    "system": "Help.",
    "counts": {"train": 40, "held_out": 20, "live": 20},
    "offered": [2, 3],
    "slots": {
        "item": [f"item{n}" for n in range(20)],
        "code": {"pattern": "[A-Z]{2}[0-9]{3,4}"},
        "day": {"shared": ["Monday", "Friday"]},
        "count": {"integer": [2, 9]},
    },
    "no_tool": [{"phrasings": _phrasings("Sing of {item}"), "answer": "I cannot sing.", "accept": ["cannot"]}],
}

DOMAIN: dict[str, Any] = {
    "domain": "shop",
    "tools": [
        _tool("get_price", twins=["get_cost"]),
        _tool("get_cost"),
        _tool("get_stock"),
        _tool("get_weight", held_out_only=True),
    ],
    "intents": [
        {
            "id": "price",
            "kind": "stated_answer",
            "calls": [{"tool": "get_price", "arguments": {"item": "{item}", "count": "{count}"}}],
            "phrasings": _phrasings("{count} of {item} on {day}"),
            "answer": "{count} of {item} cost {result.0.price}; 1,200 left.",
            "states": ["result.0.price", "slot.item", "result.0.left"],
        },
        {
            "id": "cost",
            "kind": "near_twin",
            "calls": [{"tool": "get_cost", "arguments": {"item": "{code}"}}],
            "phrasings": _phrasings("Cost of {code}"),
        },
        {
            "id": "both",
            "kind": "chain",
            "calls": [
                {"tool": "get_stock", "arguments": {"item": "{code}"}},
                {"tool": "get_cost", "arguments": {"item": "x {result.0.parts.code}"}},
            ],
            "phrasings": _phrasings("Stock, then cost of {code}"),
            "answer": "It costs {result.1.price}.",
            "states": ["result.1.price"],
        },
        {
            "id": "busy",
            "kind": "tool_error",
            "calls": [{"tool": "get_stock", "arguments": {"item": "{item}"}}],
            "phrasings": _phrasings("Is {item} there"),
            "answer": "It is {result.0.item}.",
            "fault": {"kind": "error", "times": 1},
            "recovery": "retry",
        },
        {
            "id": "which",
            "kind": "missing_argument",
            "offer": ["get_stock"],
            "phrasings": _phrasings("Is it there on {day} for {code}"),
            "answer": "Which item?",
            "accept": ["?"],
        },
        {
            "id": "weight",
            "kind": "one_call",
            "calls": [{"tool": "get_weight", "arguments": {"item": "{code}"}}],
            "phrasings": _phrasings("Weight of {code}"),
        },
    ],
}


def write(folder: Path, head: dict[str, Any] = SUITE, domain: dict[str, Any] = DOMAIN) -> Path:
    (folder / "suite.yaml").write_text(yaml.safe_dump(head, sort_keys=False))
    (folder / "shop.yaml").write_text(yaml.safe_dump(domain, sort_keys=False))
    return folder


def by_intent(suite: Suite, intent: str) -> list[Scenario]:
    return [s for s in suite.scenarios if s.group.split("#")[0] == intent]


def test_same_seeds_same_scenarios_byte_for_byte(tmp_path: Path) -> None:
    folder = write(tmp_path)
    one, two = expand(folder, 3, counts=SMALL), expand(folder, 3, counts=SMALL)
    assert one.model_dump_json() == two.model_dump_json()
    assert one.digest() == two.digest()
    fresh = expand(folder, 4, split_seed=3, counts=SMALL)
    both = Suite(name="both", seed=0, split_seed=3, scenarios=one.scenarios + fresh.scenarios)
    assert check_split(both.scenarios) == [], "a fresh draw on the same split keeps the parts apart"
    assert {s.id for s in one.part(Part.LIVE)} != {s.id for s in fresh.part(Part.LIVE)}
    assert check_split(one.scenarios + expand(folder, 3, split_seed=4, counts=SMALL).scenarios), "another split differs"


def test_scenarios_are_filled_and_spread(tmp_path: Path) -> None:
    suite = expand(write(tmp_path), 1)
    assert [len(suite.part(part)) for part in Part] == [40, 20, 20]
    assert len({s.id for s in suite.scenarios}) == 80
    price = by_intent(suite, "shop.price")[0]
    arguments = {k: v.any_of[0] for k, v in price.expected.calls[0].arguments.items()}
    assert isinstance(arguments["count"], int)
    assert f"{arguments['count']} of {arguments['item']} on " in price.query
    cost = f"{len(arguments['item']) * arguments['count'] + 0.5}"
    assert price.expected.answer is not None
    assert price.expected.answer.contains == (cost, arguments["item"], "1200")
    assert price.expected.answer.reference == f"{arguments['count']} of {arguments['item']} cost {cost}; 1,200 left."
    chain = by_intent(suite, "shop.both")[0].expected.calls
    assert chain[1].arguments["item"].any_of == (f"x {chain[0].arguments['item'].any_of[0]}",)
    busy = by_intent(suite, "shop.busy")[0]
    assert [c.name for c in busy.expected.calls] == ["get_stock", "get_stock"]
    assert busy.expected.recovery == RecoveryStrategy.RETRY
    which = by_intent(suite, "shop.which")[0]
    assert (which.expected.calls, which.expected.recovery) == ((), RecoveryStrategy.CLARIFY)
    assert "get_stock" in {t.name for t in which.tools}
    spread = Counter(s.group.split("#")[0] for s in suite.part(Part.HELD_OUT))
    assert max(spread.values()) - min(spread.values()) <= 1
    assert set(spread) - {s.group.split("#")[0] for s in suite.part(Part.TRAIN)} == {"shop.weight"}


def offered_claims(suite: Suite, twins: dict[str, set[str]], held_out_only: set[str]) -> list[str]:
    """Return the ids of scenarios that offer a tool that they must not."""
    wrong = []
    for scenario in suite.scenarios:
        offered = {t.name for t in scenario.tools}
        right = {tag.removeprefix("tool:") for tag in scenario.tags if tag.startswith("tool:")}
        look_alikes = set().union(*(twins.get(name, set()) for name in right)) - right
        twin_rule = bool(offered & look_alikes) == (scenario.kind == Kind.NEAR_TWIN)
        part_rule = scenario.part == Part.HELD_OUT or not offered & held_out_only
        if not (right <= offered and twin_rule and part_rule):
            wrong.append(scenario.id)
    return wrong


def test_what_is_offered_never_holds_a_second_right_tool(tmp_path: Path) -> None:
    suite = expand(write(tmp_path), 5)
    assert offered_claims(suite, {"get_price": {"get_cost"}, "get_cost": {"get_price"}}, {"get_weight"}) == []
    assert any("get_weight" in {t.name for t in s.tools} for s in suite.part(Part.HELD_OUT))
    orders = {tuple(t.name for t in s.tools) for s in by_intent(suite, "shop.cost")}
    assert len({order.index("get_cost") for order in orders}) > 1


def test_planted_leaks_are_found(tmp_path: Path) -> None:
    suite = expand(write(tmp_path), 2)
    assert check_split(suite.scenarios) == []
    train = by_intent(suite, "shop.cost")[0].model_copy(update={"part": Part.TRAIN})
    other = {"id": "leak", "part": Part.LIVE}
    said = train.messages[1].model_copy(update={"content": "something else"})
    group = train.model_copy(
        update={**other, "messages": (said,), "expected": train.expected.model_copy(update={"calls": ()})}
    )
    words = train.model_copy(update={**other, "group": "g", "expected": group.expected})
    shouted = words.model_copy(update={"messages": (said.model_copy(update={"content": train.query.upper() + " !"}),)})
    values = train.model_copy(update={**other, "group": "g", "messages": (said,)})
    for leak, what in (
        (group, "group"),
        (words, "user message"),
        (shouted, "user message"),
        (values, "argument values"),
    ):
        (found,) = check_split([train, leak])
        assert found.startswith(what)
        assert "train" in found
        assert "live (leak)" in found


def test_more_scenarios_than_there_are_is_said_plainly(tmp_path: Path) -> None:
    head = {**SUITE, "slots": {**SUITE["slots"], "code": ["a", "b", "c"]}}
    domain = {**DOMAIN, "intents": DOMAIN["intents"][1:2]}
    with pytest.raises(
        SuiteError, match=r"expected 500 different scenarios for part live, found \d+; lower counts.live"
    ):
        expand(
            write(tmp_path, {**head, "no_tool": []}, domain),
            1,
            counts={Part.TRAIN: 0, Part.HELD_OUT: 0, Part.LIVE: 500},
        )


def changed(path: str, value: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the small suite with one value changed; `path` is dotted and starts with suite or domain."""
    files: dict[str, Any] = {"suite": copy.deepcopy(SUITE), "domain": copy.deepcopy(DOMAIN)}
    *way, last = [int(p) if p.isdigit() else p for p in path.split(".")]
    at: Any = files
    for step in way:
        at = at[step]
    at[last] = value
    return files["suite"], files["domain"]


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("suite.colour", 1, "colour: expected a field that the format knows"),
        ("suite.slots.item", ["a", "a", "b"], "slots.item: expected at least 3 different values"),
        ("suite.slots.code", {"pattern": "[A-Z"}, "slots.code: expected [A-Z0-9]-like classes"),
        ("suite.slots.code", {"pattern": "a", "shared": [1]}, "slots.code: expected a list or one of"),
        ("suite.offered", [3, 2], "offered: expected 1 ≤ least ≤ most, found [3, 2]"),
        ("domain.intents.0.kind", "two_calls", "intents[0].kind: expected 'one_call', 'near_twin'"),
        (
            "domain.intents.0.calls.0.tool",
            "get_prize",
            "intents[0].calls: expected a tool of the domain, found 'get_prize'",
        ),
        (
            "domain.intents.1.phrasings.3",
            "Cost of it",
            "intents[1].phrasings[3]: expected the slots ['code'], found []",
        ),
        ("domain.intents.1.phrasings.3", "Of {code} {tint}", "intents[1].phrasings[3]: expected a slot of the suite"),
        (
            "domain.intents.1.phrasings.3",
            "weight of {code}: version ONE",
            "intents[5].phrasings[0]: expected each phrasing once",
        ),
        (
            "domain.intents.1.phrasings.3",
            "(Cost|Price) of ({code}|it)",
            "intents[1].phrasings[3]: expected the slots ['code'], found []",
        ),
        (
            "domain.intents.1.phrasings.3",
            "(cost|COST) of (the|) {code}",
            "intents[1].phrasings[3]: expected each phrasing once, found 'COST of the {code}' again",
        ),
        (
            "domain.intents.1.phrasings.3",
            "(a|b|c|d|e|f|g|h|i|j)" * 4 + " {code}",
            "expected at most 1000 texts from one phrasing, found 10000",
        ),
        ("domain.intents.4.phrasings.0", "{day}", "intents[4].phrasings[0]: expected a slot with divided values"),
        ("domain.intents.1.calls.0.arguments", {"item": "tea"}, "intents[1].calls: expected an argument from a slot"),
        ("domain.intents.1.id", "price", "intents[1].id: expected an id that no other intent has"),
        ("domain.intents.2.states", [], "intents[2].states: expected what the answer must state"),
        (
            "domain.intents.3.recovery",
            "graceful_fail",
            "intents[3].recovery: expected retry where the fault has `times`",
        ),
        ("domain.intents.0.fault", {"kind": "error"}, "intents[0].fault: expected a fault for tool_error"),
        ("domain.intents.4.offer", [], "intents[4].offer: expected the tool whose argument is missing"),
        ("domain.tools.0.twins", [], "intents[1].calls: expected a tool with twins in every part for near_twin"),
        ("domain.tools.0.twins", ["get_pens"], "tools[0].twins: expected another tool of the domain"),
        ("domain.tools.0.function", "json:nothing", "tools[0].function: expected a function that can be imported"),
        ("domain.tools.0.parameters", {"type": "dict"}, "tools[0].parameters: expected a JSON Schema"),
        (
            "domain.intents.0.answer",
            "{result.0.colour}",
            "expected {result.0.colour} to be a slot or a field of a result",
        ),
        ("domain.intents.0.answer", "{item}", "expected a reference answer that says"),
        ("domain.intents.1.calls.0.arguments", {"what": "{code}"}, "to work, found: invalid arguments"),
    ],
)
def test_mistakes_in_templates_are_named(path: str, value: Any, said: str, tmp_path: Path) -> None:
    with pytest.raises(SuiteError) as caught:
        expand(write(tmp_path, *changed(path, value)), 1)
    assert any(said in mistake for mistake in caught.value.mistakes), caught.value


def test_all_mistakes_of_all_files_are_told_together_with_their_lines(tmp_path: Path) -> None:
    head, _ = changed("suite.offered", "three")
    _, domain = changed("domain.intents.0.kind", "two_calls")
    folder = write(tmp_path, head, domain)
    with pytest.raises(SuiteError) as caught:
        expand(folder, 1)
    first, second = caught.value.mistakes
    lines = (folder / "suite.yaml").read_text().split("\n")
    assert first.startswith(f"{folder / 'suite.yaml'}:{lines.index('offered: three') + 1}: offered: expected ")
    line = (folder / "shop.yaml").read_text().split("\n").index("  kind: two_calls") + 1
    assert second.startswith(f"{folder / 'shop.yaml'}:{line}: intents[0].kind: expected ")


def test_further_scenarios_are_of_the_same_part_and_none_of_those_that_were_drawn() -> None:
    suite = expand("tools", 4, split_seed=2, counts=SMALL)
    wanted = {"mail.send": 5, "calendar.find": 3, "no.such": 9}
    more = draw_further("tools", 4, split_seed=2, counts=SMALL, part=Part.TRAIN, wanted=wanted)
    again = draw_further("tools", 4, split_seed=2, counts=SMALL, part=Part.TRAIN, wanted=wanted)
    assert more == again
    assert Counter(map(intent_of, more)) == {"mail.send": 5, "calendar.find": 3}
    assert {s.part for s in more} == {Part.TRAIN}
    assert {s.id for s in more}.isdisjoint(s.id for s in suite.scenarios)
    assert {s.query for s in more}.isdisjoint(s.query for s in suite.scenarios)
    assert check_split([*suite.scenarios, *more]) == []


def test_further_scenarios_share_lists_of_tools_that_are_right_for_each() -> None:
    wanted = {"mail.send": 12, "calendar.find": 12, "calendar.move": 8, "general.small_talk": 4}
    alone, more = (
        draw_further("tools", 4, split_seed=2, counts=SMALL, part=Part.TRAIN, wanted=wanted, together=together)
        for together in (1, 6)
    )
    assert Counter(map(intent_of, more)) == Counter(map(intent_of, alone))
    assert {s.query for s in more} == {s.query for s in alone}
    lists = Counter(tuple(tool.name for tool in s.tools) for s in more)
    assert max(lists.values()) >= 4
    assert len(lists) <= len(more) / 3
    for scenario in more:
        assert {call.name for call in scenario.expected.calls} <= {tool.name for tool in scenario.tools}
    assert check_split([*expand("tools", 4, split_seed=2, counts=SMALL).scenarios, *more]) == []


def test_an_intent_without_further_scenarios_gives_fewer(tmp_path: Path) -> None:
    folder = write(tmp_path)
    suite = expand(folder, 1)
    more = draw_further(folder, 1, part=Part.TRAIN, wanted={"shop.busy": 10_000})
    assert len(more) < 10_000
    assert len({s.id for s in (*suite.scenarios, *more)}) == len(suite.scenarios) + len(more)


def test_alternatives_stand_for_each_of_their_texts() -> None:
    assert alternatives("Sell {item} (now)") == ["Sell {item} (now)"]
    assert alternatives("(Sell|Get rid of) {item}(| today).") == [
        "Sell {item}.",
        "Sell {item} today.",
        "Get rid of {item}.",
        "Get rid of {item} today.",
    ]
    assert alternatives("Is it (|very|very) cold (|), {item}?") == ["Is it cold, {item}?", "Is it very cold, {item}?"]


def test_values_with_alternatives_are_values_each(tmp_path: Path) -> None:
    pool = Pool.model_validate(["(red|blue) (hat|coat)", 7, "tie"])
    assert pool.values == ("red hat", "red coat", "blue hat", "blue coat", 7, "tie")
    assert Pool.model_validate({"values": ["(a|b|c)"]}).values == ("a", "b", "c")
    values = Values({"wear": Pool.model_validate(["(red|blue|grey|old) (hat|coat|belt|tie)"])}, 3)
    drawn = {part: {values.draw("wear", part, Random(n)) for n in range(90)} for part in Part}
    assert sum(map(len, drawn.values())) == len(set().union(*drawn.values())) == 16
    many = f"({'|'.join(str(n) for n in range(40))})"
    head, domain = changed("domain.slots", {"code": [f"{many} {many}"]})
    with pytest.raises(SuiteError, match="expected at most 1000 values from one entry, found 1600"):
        expand(write(tmp_path, head, domain), 1)


def test_alternatives_are_divided_and_drawn_evenly(tmp_path: Path) -> None:
    head, domain = changed("domain.intents.1.phrasings", ["(Cost|Price) of (a|the|one) {code}", "(what|how) is {code}"])
    suite = expand(write(tmp_path, head, domain), 1, counts=dict.fromkeys(Part, 60))
    groups = {part: {s.group for s in by_intent(suite, "shop.cost") if s.part == part} for part in Part}
    assert {len(g) for g in groups.values()} == {2, 4}
    assert check_split(suite.scenarios) == []
    every = sorted(set().union(*groups.values()))
    assert every == [f"shop.cost#{name}" for name in ("0.0", "0.1", "0.2", "0.3", "0.4", "0.5", "1.0", "1.1")]
    said = {s.query.rsplit(" ", 1)[0] for s in by_intent(suite, "shop.cost")}
    assert said == {f"{a} of {b}" for a in ("Cost", "Price") for b in ("a", "the", "one")} | {"what is", "how is"}


def test_division_of_templates_and_values() -> None:
    for count in range(5, 60):
        share = shares(count)
        assert sum(share.values()) == count
        assert share[Part.TRAIN] >= 2
        assert share[Part.HELD_OUT] >= 2
        assert share[Part.LIVE] >= 1
    assert [p.characters for p in parse_pattern("[a-cX]-{2}")] == ["abcX", "-"]
    pools = {name: Pool.model_validate([f"{name}{n}" for n in range(9)] + ["Oslo", "Rome"]) for name in "ab"}
    for name, few in {"c": ["c1", "c2", "c3"], "d": ["c1", "d2", "d3"], "e": ["c2", "d2", "e3"]}.items():
        pools[name] = Pool.model_validate(few)
    for seed in range(30):
        values = Values(pools, seed)
        random = Random(seed)
        drawn = {part: {values.draw(n, part, random) for n in pools for _ in range(60)} for part in Part}
        assert not drawn[Part.TRAIN] & drawn[Part.HELD_OUT], "a value in two pools stays in one part"
        assert not (drawn[Part.TRAIN] | drawn[Part.HELD_OUT]) & drawn[Part.LIVE]


# The built-in suite.


@pytest.fixture(scope="module")
def tools() -> Suite:
    start = time.process_time()
    suite = load("tools", seed=0)
    assert time.process_time() - start < 5
    return suite


def test_the_built_in_suite_is_as_large_as_claimed(tools: Suite) -> None:
    template = read_template(SUITES / "tools")
    require_parts(tools)
    assert len(tools.scenarios) >= 600
    assert len(tools.part(Part.HELD_OUT)) >= 200
    assert len(template.tools) >= 24
    assert len(template.domains) >= 6
    for part in Part:
        assert {s.kind for s in tools.part(part)} == TEMPLATE_KINDS - {Kind.DIALOGUE}
    held_out_only = {name for name, (_, tool) in template.tools.items() if tool.held_out_only}
    called = {name for s in tools.scenarios if "held_out_tool" in s.tags for name in [c.name for c in s.expected.calls]}
    assert len(held_out_only & called) >= 4
    assert {s.part for s in tools.scenarios if "held_out_tool" in s.tags} == {Part.HELD_OUT}
    messages = [(normalised(s.query), tuple(sorted(t.name for t in s.tools))) for s in tools.scenarios]
    assert len(set(messages)) == len(messages)


def test_the_built_in_suite_offers_one_right_tool() -> None:
    template = read_template(SUITES / "tools")
    twins: dict[str, set[str]] = {name: set(tool.twins) for name, (_, tool) in template.tools.items()}
    for name, (_, tool) in template.tools.items():
        for twin in tool.twins:
            twins[twin].add(name)
    held_out_only = {name for name, (_, tool) in template.tools.items() if tool.held_out_only}
    assert offered_claims(expand("tools", 11), twins, held_out_only) == []


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_built_in_suite_leaks_nothing_for_any_seed(seed: int) -> None:
    suite = expand("tools", seed)
    assert check_split(suite.scenarios) == []
    leak = suite.part(Part.TRAIN)[0].model_copy(update={"part": Part.HELD_OUT, "id": "leak"})
    assert len(check_split([*suite.scenarios, leak])) >= 2


def test_the_built_in_suites_expected_calls_work_and_its_answers_say_what_they_must(tools: Suite) -> None:
    for scenario in tools.scenarios:
        box = ToolBox(scenario.tools, scenario.world, scenario.faults)
        calls = [{k: v.any_of[0] for k, v in c.arguments.items()} for c in scenario.expected.calls]
        failures = [
            box.call_now(ToolCall(id="1", name=c.name, arguments=arguments)).failure
            for c, arguments in zip(scenario.expected.calls, calls, strict=True)
        ]
        struck = sum(fault.times or 1 for fault in scenario.faults.values())
        kinds = {FailureKind.TOOL_ERROR, FailureKind.TOOL_TIMEOUT}
        assert set(failures[:struck]) <= kinds, scenario.id
        assert set(failures[struck:]) <= {None}, scenario.id
        assert bool(scenario.faults) == (scenario.kind == Kind.TOOL_ERROR), scenario.id
        if scenario.expected.answer is not None:
            assert answer_mistakes(scenario.expected.answer) == [], scenario.id
        assert scenario.kind == Kind.ONE_CALL or scenario.expected.answer is not None or scenario.expected.calls


def test_the_built_in_suite_is_the_same_each_time_and_gives_thousands_of_live_scenarios(tools: Suite) -> None:
    assert expand("tools", 0) == tools
    many = expand("tools", 0, counts={Part.TRAIN: 0, Part.HELD_OUT: 0, Part.LIVE: 2500})
    assert Counter(s.part for s in many.scenarios) == {Part.LIVE: 2500}
    assert json.loads(many.scenarios[0].model_dump_json())["part"] == "live"
