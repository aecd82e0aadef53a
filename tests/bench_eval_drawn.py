"""Agreement with the leaderboard's own checker, run beside ours, on outputs that nobody has seen before.

Outputs are drawn: an acceptable output of an entry, then up to three changes of the kinds that models make, and of some
that they do not. Entries and answers are the leaderboard's and stand beside the repository (`../shared/bfcl`).
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from evaluation.importers.bfcl import import_bfcl
from evaluation.rules import bfcl
from evaluation.scenarios import Scenario
from tests.bench_eval_agreement import SHARED
from tests.bench_eval_peers import Package, install, output
from tests.bench_eval_rows import NotMeasured, Row, Skipped, count, share

CHECKER = Package("bfcl-eval", "2026.3.23", alone=True)
HERE = Path(__file__).parent
NAME = "leaderboard's checker, outputs drawn"

STRANGE: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 5, 5.0, 1e3, 0.1, -0.0, 10**20, "", " ", "x", "5", "true", "null", [], {}, [1], [1.0],
    ["a"], [None], [{}], [[]], [["a"]], {"a": 1}, {"": ""},
)  # fmt: skip
"""Values in place of others."""
NO_CALLS: tuple[Any, ...] = (
    [], [{}], None, "text", [None], [[]], [{"a": 1}], {}, [{"f": {}}], [{"a": {}, "b": {}}],
    [{"f": {"x": 1}}, {"f": {}}],
)  # fmt: skip
"""Outputs in place of others."""
MARKS = ",./-_*^'\"!?\n\té;:"

Output = list[dict[str, dict[str, Any]]]


class Entry(NamedTuple):
    """One question of the leaderboard."""

    category: str
    id: str
    functions: list[dict[str, Any]]
    answer: list[dict[str, dict[str, list[Any]]]] | None
    """None for (ir)relevance."""


def entries(folder: Path) -> list[Entry]:
    """Return the leaderboard's entries with their answers."""
    answers = {row["id"]: row["ground_truth"] for path in _answers(folder) for row in _rows(path)}
    return [
        Entry(path.stem.removeprefix("BFCL_v4_"), row["id"], row["function"], answers.get(row["id"]))
        for path in _questions(folder)
        for row in _rows(path)
    ]


def _questions(folder: Path) -> list[Path]:
    return sorted(folder.glob("BFCL_v4_*.json"))


def _answers(folder: Path) -> list[Path]:
    return sorted((folder / "possible_answer").glob("*.json"))


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    return map(json.loads, path.read_text(encoding="utf-8").splitlines())


def drawn(entry: Entry, rng: random.Random) -> Any:
    """Return an output for an entry: a right one, changed up to three times."""
    if entry.answer is None:
        calls: Any = [{rng.choice(entry.functions)["name"]: {}}] if entry.functions and rng.random() < 0.5 else []
    else:
        calls = [{name: _arguments(given, rng)} for call in entry.answer for name, given in call.items()]
    for _ in range(rng.choice((0, 1, 1, 1, 2, 3))):
        if not _proper(calls):
            break
        calls = changed(json.loads(json.dumps(calls)), entry.functions, rng)
    return calls


def _proper(calls: Any) -> bool:
    return isinstance(calls, list) and all(
        isinstance(call, dict) and [isinstance(value, dict) for value in call.values()] == [True] for call in calls
    )


def _arguments(given: dict[str, list[Any]], rng: random.Random) -> dict[str, Any]:
    out = {}
    for name, accepted in given.items():
        values = [value for value in accepted if value != ""]
        if values and not ("" in accepted and rng.random() < 0.5):
            out[name] = _plain(rng.choice(values), rng)
    return out


def _plain(value: Any, rng: random.Random) -> Any:
    """Return an acceptable value as a model would write it: objects list the acceptable values of each key."""
    if isinstance(value, dict):
        lists = {key: accepted for key, accepted in value.items() if isinstance(accepted, list)}
        return {**{k: v for k, v in value.items() if k not in lists}, **_arguments(lists, rng)}
    return [_plain(one, rng) if isinstance(one, dict) else one for one in value] if isinstance(value, list) else value


def changed(calls: Output, functions: list[dict[str, Any]], rng: random.Random) -> Any:
    """Return an output with one change: another output, a call more, less or elsewhere, or a call changed."""
    roll = rng.random()
    if not calls or roll < 0.03:
        return rng.choice(NO_CALLS)
    if roll < 0.08:
        return [*calls, rng.choice(calls)]
    if roll < 0.12:
        return rng.sample(calls, len(calls))
    at = rng.randrange(len(calls))
    if roll < 0.15:
        return calls[:at] + calls[at + 1 :]
    ((name, arguments),) = calls[at].items()
    return [*calls[:at], _changed_call(name, arguments, functions, rng), *calls[at + 1 :]]


def _changed_call(name: str, arguments: dict[str, Any], functions: list[dict[str, Any]], rng: random.Random) -> Any:
    roll = rng.random()
    if roll < 0.06:
        others = [function["name"] for function in functions]
        return {rng.choice([name.upper(), name.replace(".", "_"), f"{name}x", *others]): arguments}
    if roll < 0.12:
        known = [key for function in functions for key in function["parameters"].get("properties", {})]
        return {name: {**arguments, rng.choice(["zzz", "query", *known]): rng.choice(STRANGE)}}
    if roll < 0.15:
        return {name: rng.choice((None, [], "x", [arguments], 1))}
    if not arguments:
        return {name: arguments}
    key = rng.choice(list(arguments))
    if roll < 0.25:
        return {name: {other: value for other, value in arguments.items() if other != key}}
    return {name: {**arguments, key: twisted(arguments[key], rng)}}


def twisted(value: Any, rng: random.Random) -> Any:
    """Return a value that is a little, or altogether, another one."""
    twist = _TWISTS.get(type(value))
    return rng.choice(STRANGE) if twist is None or rng.random() < 0.25 else twist(value, rng)


def _number(value: Any, rng: random.Random) -> Any:
    whole = int(value) if abs(value) < 1e15 else value
    return rng.choice([value + 1, -value, value * 1.0000001, float(value), whole, str(value), [value], value == 1])


def _truth(value: bool, rng: random.Random) -> Any:
    return rng.choice([not value, int(value), float(value), str(value), [value]])


def _text(value: str, rng: random.Random) -> Any:
    at, mark = rng.randrange(len(value) + 1), rng.choice(MARKS)
    return rng.choice([
        value.upper(), value.lower(), value.title(), f"{value} ", f" {value}", value.replace(" ", ""), value.split(),
        value[:at] + mark + value[at:], value[:at] + value[at + 1 :], value.replace("'", '"'), value.replace('"', "'"),
        value.replace(",", ""), value.replace("-", "–"), value.replace("/", "\\"), [value], {"value": value},
    ])  # fmt: skip


def _list(value: list[Any], rng: random.Random) -> Any:
    at = rng.randrange(len(value)) if value else 0
    ways: list[Callable[[], Any]] = [
        lambda: rng.sample(value, len(value)),
        lambda: value[:at] + value[at + 1 :],
        lambda: [*value[:at], rng.choice(STRANGE), *value[at:]],
        lambda: [value],
        *[lambda: [*value[:at], *(twisted(one, rng) for one in value[at : at + 1]), *value[at + 1 :]]] * 4,
    ]
    return rng.choice(ways)()


def _object(value: dict[str, Any], rng: random.Random) -> Any:
    key = rng.choice(list(value)) if value else "a"
    ways: list[Callable[[], Any]] = [
        lambda: {other: kept for other, kept in value.items() if other != key},
        lambda: {**value, rng.choice(("extra", "a", "name", "")): rng.choice(STRANGE)},
        lambda: dict(reversed(value.items())),
        *[lambda: {**value, key: twisted(value.get(key), rng)}] * 3,
    ]
    return rng.choice(ways)()


_TWISTS: dict[type, Callable[[Any, random.Random], Any]] = {
    bool: _truth, int: _number, float: _number, str: _text, list: _list, dict: _object,
}  # fmt: skip


def drawn_rows(outputs: int, seed: int, folder: Path = SHARED / "bfcl") -> Iterator[Row]:
    """Yield the share of drawn outputs with the checker's verdict, both ways of disagreeing, and its error types."""
    if not (folder / "possible_answer").is_dir():
        yield Skipped(NAME, "../shared/bfcl is absent")
        return
    if (lacking := install(CHECKER)) is not None:
        yield Skipped(NAME, lacking)
        return
    rng, known = random.Random(seed), entries(folder)
    pairs = [(entry, drawn(entry, rng)) for entry in rng.choices(known, k=outputs)]
    told = _told(pairs)
    scenarios = {s.id: s for s in import_bfcl(_questions(folder), _answers(folder))}
    yield from _figures(pairs, told, scenarios)


def _told(pairs: list[tuple[Entry, Any]]) -> list[list[Any]]:
    lines = [
        json.dumps({"category": entry.category, "function": entry.functions, "answer": entry.answer, "output": out})
        for entry, out in pairs
    ]
    printed = output([str(CHECKER.python), str(HERE / "bench_eval_bfcl.py")], "\n".join(lines))
    told = [json.loads(line) for line in printed.splitlines()]
    if len(told) != len(pairs):
        raise NotMeasured(f"{NAME}: expected {len(pairs)} verdicts of the checker, found {len(told)}")
    return told


def _figures(pairs: list[tuple[Entry, Any]], told: list[list[Any]], scenarios: dict[str, Scenario]) -> Iterator[Row]:
    ours = [bfcl.judge(scenarios[f"bfcl/{entry.id}"], out) for entry, out in pairs]
    both = list(zip(ours, told, strict=True))
    yield share(f"{NAME}: same verdict", sum(one.valid == valid for one, (valid, _) in both), len(both), bar=1.0)
    yield count(f"{NAME}: we accept what it rejects", sum(one.valid and not valid for one, (valid, _) in both))
    yield count(f"{NAME}: we reject what it accepts", sum(valid and not one.valid for one, (valid, _) in both))
    named = [(one.error, error) for one, (_, error) in both if error is not None and not one.valid]
    yield share(f"{NAME}: same error type, of what both reject", sum(a == b for a, b in named), len(named), bar=0.95)
