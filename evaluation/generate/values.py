"""Values that fit a JSON Schema and that a person could mean.

Decisions: an enum, a constant, a format and a pattern decide first; then the examples of the schema and its
description; then what the parameter is called. Every value is checked by jsonschema, formats included, and drawn
again where it does not fit. Edges (limits, zero, signs, other scripts, quotation marks) are drawn on purpose, now and
then, and named.
"""

from __future__ import annotations

import functools
import json
import math
import re
from collections.abc import Iterator, Mapping
from random import Random
from typing import Any, NamedTuple, TypeGuard

import jsonschema

from evaluation.generate import vocabulary
from evaluation.generate.names import label, words
from evaluation.generate.patterns import text_for

TRIES = 24
"""Draws of one value before it is given up."""
_MOST_DEPTH = 12


class NoValue(Exception):
    """No value that fits the schema was found."""


class Drawn(NamedTuple):
    """A value, and the edge that it lies at."""

    value: Any
    edge: str = ""


class Hint(NamedTuple):
    """What a value is for."""

    name: str
    tool: str = ""
    described: str = ""


def draw(schema: Mapping[str, Any], hint: Hint, random: Random, *, edge: bool = False) -> Drawn:
    """Return a value that fits `schema`; with `edge`, one at an edge where the schema has any. Raises `NoValue`."""
    found = [one for one in _edges(schema, hint) if _fits(schema, one.value)] if edge else []
    if found:
        return random.choice(found)
    for _ in range(TRIES):
        value = _value(schema, hint, random, 0)
        if _fits(schema, value):
            return Drawn(value)
    raise NoValue(f"no value that fits the schema of {hint.name} in {TRIES} draws")


def _fits(schema: Mapping[str, Any], value: Any) -> bool:
    """Say whether `value` fits. Where a type is all that is asked, it was drawn as one."""
    if isinstance(schema.get("type"), str) and schema["type"] in _JSON_TEXTS and schema.keys() <= _SAYS_NO_MORE:
        return isinstance(value, _JSON_TEXTS[schema["type"]])
    return bool(validator_of(schema).is_valid(value))


_JSON_TEXTS: dict[Any, type] = {"string": str, "boolean": bool}
_SAYS_NO_MORE = frozenset({"type", "description", "title", "default", "examples", "example", "deprecated"})
"""Keywords that rule out no value of the type."""


def validator_of(schema: Mapping[str, Any]) -> Any:
    """Return the schema's validator, formats included; kept, as it takes longer to make than to use."""
    known = _BY_IDENTITY.get(id(schema))
    if known is None or known[0] is not schema:
        known = (schema, _validator(json.dumps(schema, sort_keys=True)))
        _BY_IDENTITY[id(schema)] = known
    return known[1]


_BY_IDENTITY: dict[int, tuple[Mapping[str, Any], Any]] = {}
"""By the schema's identity, with the schema itself, so that the identity stays its own."""


@functools.lru_cache(maxsize=8192)
def _validator(schema: str) -> Any:
    kind = jsonschema.Draft202012Validator
    return kind(json.loads(schema), format_checker=kind.FORMAT_CHECKER)


def type_of(schema: Mapping[str, Any]) -> str:
    """Return the type that values of `schema` are drawn of; of several, the first that is not null."""
    kind = schema.get("type")
    if isinstance(kind, list):
        return next((one for one in kind if one != "null"), "null")
    if isinstance(kind, str):
        return kind
    guesses = {"properties": "object", "items": "array", "prefixItems": "array", "minimum": "number"}
    return next((kind for key, kind in guesses.items() if key in schema), "string")


def _value(schema: Mapping[str, Any], hint: Hint, random: Random, depth: int) -> Any:
    if depth > _MOST_DEPTH:
        raise NoValue(f"the schema of {hint.name} goes on in more than {_MOST_DEPTH} layers")
    if "const" in schema:
        return schema["const"]
    options = schema.get("enum")
    if isinstance(options, list) and options:
        return random.choice([one for one in options if one is not None and one != ""] or options)
    for key in ("oneOf", "anyOf"):
        if isinstance(schema.get(key), list) and schema[key]:
            return _value(_branch(schema, key, random), hint, random, depth + 1)
    examples = _examples(schema)
    if examples and random.random() < 0.5:
        return random.choice(examples)
    match type_of(schema):
        case "boolean":
            return random.random() < 0.6
        case "integer":
            return _integer(schema, hint, random)
        case "number":
            return _number(schema, hint, random)
        case "array":
            return _array(schema, hint, random, depth)
        case "object":
            return _object(schema, hint, random, depth)
        case "null":
            return None
    return _text(schema, hint, random)


def _branch(schema: Mapping[str, Any], key: str, random: Random) -> dict[str, Any]:
    """Return one of the schema's alternatives, with what holds for all of them; null only where there is no other."""
    found = [one for one in schema[key] if isinstance(one, Mapping)]
    branch = random.choice([one for one in found if one.get("type") != "null"] or found or [{}])
    common = {k: v for k, v in schema.items() if k not in ("oneOf", "anyOf", "default")}
    merged = {**common, **branch}
    if isinstance(common.get("properties"), Mapping) and isinstance(branch.get("properties"), Mapping):
        merged["properties"] = {**common["properties"], **branch["properties"]}
        merged["required"] = [*common.get("required", ()), *branch.get("required", ())]
    return merged


def _examples(schema: Mapping[str, Any]) -> list[Any]:
    given = schema.get("examples", ())
    found = list(given) if isinstance(given, list | tuple) else []
    found += [schema["example"]] if "example" in schema else []
    return [one for one in found if one not in (None, "")]


_RANGES: dict[str, tuple[float, float]] = {
    "year": (1990, 2026), "season": (2005, 2025), "depth": (1, 90), "interest": (1, 12), "population": (500, 90000),
    "age": (18, 85), "price": (5, 900), "amount": (10, 5000), "cost": (5, 900), "salary": (2000, 9000),
    "budget": (100, 9000), "income": (2000, 90000), "percent": (1, 99), "percentage": (1, 99), "rate": (1, 12),
    "latitude": (-60, 60),
    "lat": (-60, 60), "longitude": (-150, 150), "lon": (-150, 150), "lng": (-150, 150), "temperature": (-10, 35),
    "limit": (1, 50), "max": (2, 50), "count": (2, 20), "num": (2, 20), "number": (2, 40), "quantity": (1, 12),
    "hour": (0, 23), "hours": (1, 12), "minute": (0, 59), "minutes": (5, 90), "days": (1, 30), "day": (1, 28),
    "month": (1, 12), "months": (1, 24), "years": (1, 30), "page": (1, 9), "rating": (1, 5), "stars": (1, 5),
    "guests": (1, 8), "people": (1, 8), "adults": (1, 4), "passengers": (1, 6), "weight": (2, 120),
    "height": (100, 200),
    "distance": (2, 400), "radius": (1, 60), "width": (2, 90), "length": (2, 90), "speed": (10, 130),
    "id": (100, 99999),
    "port": (1024, 9999), "zip": (10000, 99999), "duration": (5, 120), "size": (2, 60), "level": (1, 10),
    "volume": (5, 95),
}  # fmt: skip


def _bounds(schema: Mapping[str, Any], hint: Hint) -> tuple[float, float]:
    """Return least and most of a number that a person would say here, within what the schema allows."""
    parts = words(hint.name)
    likely = next((_RANGES[word] for word in reversed(parts) if word in _RANGES), (2, 90))
    low, high = limits(schema)
    if low is None and high is None:
        return likely
    if low is None:
        low = likely[0] if high is not None and likely[0] <= high else (high or 0) - 50
    if high is None:
        high = likely[1] if likely[1] >= low else low + 90
    return (max(low, likely[0]), min(high, likely[1])) if likely[0] <= high and likely[1] >= low else (low, high)


def limits(schema: Mapping[str, Any]) -> tuple[float | None, float | None]:
    """Return least and most that the schema allows of a number, where it says so."""
    whole = type_of(schema) == "integer"
    step = 1 if whole else 0.5
    low, high = schema.get("minimum"), schema.get("maximum")
    above, below = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    if is_number(above):
        low = above + step if low is None else max(low, above + step)
    if is_number(below):
        high = below - step if high is None else min(high, below - step)
    return (low if is_number(low) else None, high if is_number(high) else None)


def _integer(schema: Mapping[str, Any], hint: Hint, random: Random) -> int:
    step = schema.get("multipleOf")
    if is_number(step) and step > 0:
        return int(_multiple(schema, hint, random, step))
    low, high = (math.ceil(_bounds(schema, hint)[0]), math.floor(_bounds(schema, hint)[1]))
    return random.randint(low, max(low, high))


def _number(schema: Mapping[str, Any], hint: Hint, random: Random) -> float | int:
    step = schema.get("multipleOf")
    if is_number(step) and step > 0:
        return float(round(_multiple(schema, hint, random, step), 9))
    low, high = _bounds(schema, hint)
    if high - low <= 1:
        return float(round(random.uniform(low, high), 3))
    drawn = random.uniform(low, high)
    whole = random.random() < 0.4 and math.ceil(low) <= math.floor(high)
    return random.randint(math.ceil(low), math.floor(high)) if whole else float(round(drawn, random.choice((1, 2))))


def _multiple(schema: Mapping[str, Any], hint: Hint, random: Random, step: float) -> float:
    """Return a multiple of `step` that a person would say here, as far as the schema lets it be one."""
    low, high = limits(schema)
    likely = _bounds(schema, hint)
    low = likely[0] if low is None else low
    high = max(likely[1], low + 9 * step) if high is None else high
    least = math.ceil(low / step)
    return random.randint(least, max(least, math.floor(high / step))) * step


def _array(schema: Mapping[str, Any], hint: Hint, random: Random, depth: int) -> list[Any]:
    fixed = schema.get("prefixItems")
    out = [_value(one, hint, random, depth + 1) for one in fixed] if isinstance(fixed, list) else []
    inner = schema.get("items")
    if inner is False or (out and "items" not in schema):
        return out
    items = inner if isinstance(inner, Mapping) else {}
    least = _whole(schema.get("minItems"), 0)
    most = _whole(schema.get("maxItems"), max(least, 3))
    size = random.randint(max(least, min(1, most)), max(least, min(most, max(least, 3))))
    one = Hint(_singular(hint.name), hint.tool, str(items.get("description", hint.described)))
    for _ in range(size * 4):
        if len(out) >= size:
            break
        drawn = _value(items, one, random, depth + 1)
        # People do not say the same thing twice, whether or not the schema lets them.
        if drawn not in out or (len(out) < least and not schema.get("uniqueItems") and random.random() < 0.2):
            out.append(drawn)
    return out


def _object(schema: Mapping[str, Any], hint: Hint, random: Random, depth: int) -> dict[str, Any]:
    fields = schema.get("properties")
    required = schema.get("required", ())
    out: dict[str, Any] = {}
    for name, inner in fields.items() if isinstance(fields, Mapping) else ():
        if name in required or random.random() < 0.4 / (depth + 1):
            sub = inner if isinstance(inner, Mapping) else {}
            # Of what a `name` is, the object that it stands in tells first: a customer's is a person's.
            inner_hint = Hint(name, f"{hint.name} {hint.tool}", str(sub.get("description", "")))
            out[name] = _value(sub, inner_hint, random, depth + 1)
    if not out and isinstance(fields, Mapping) and fields:
        name = random.choice(list(fields))
        sub = fields[name] if isinstance(fields[name], Mapping) else {}
        out[name] = _value(sub, Hint(name, f"{hint.name} {hint.tool}"), random, depth + 1)
    least = _whole(schema.get("minProperties"), 0)
    extra = schema.get("additionalProperties", True)
    if extra is False or (fields and len(out) >= least):
        return out
    inner = extra if isinstance(extra, Mapping) else {"type": "string"}
    for key in random.sample(
        ("color", "size", "note", "room", "language", "priority"), max(1, min(6, least - len(out)))
    ):
        out[key] = _value(inner, Hint(key, hint.tool), random, depth + 1)
    return out


_FORMATS = {
    "date": "date", "date-time": "datetime", "email": "email", "idn-email": "email", "hostname": "site",
    "idn-hostname": "site", "uri": "url", "url": "url", "iri": "url", "uuid": "uuid", "ipv4": "ip",
    "password": "password",
}  # fmt: skip
_FIXED = {
    "time": ("09:30:00Z", "14:00:00Z", "18:45:00Z", "07:15:00Z"), "duration": ("PT30M", "P1D", "PT2H", "P2W"),
    "ipv6": ("2001:db8::1", "2001:db8::42", "2001:db8:1::7"), "uri-reference": ("/docs/intro", "/orders/42"),
    "iri-reference": ("/docs/intro", "/orders/42"), "json-pointer": ("/a/b", "/items/0"), "regex": ("^a+$", "[0-9]+"),
    "relative-json-pointer": ("0/a", "1/b"), "uri-template": ("/users/{id}", "/orders/{order}"),
    "byte": ("aGVsbG8=", "d29ybGQ="), "binary": ("00ff", "a0b1"),
}  # fmt: skip
_ISO_DATE = re.compile(r"YYYY-MM-DD|ISO ?8601 date", re.IGNORECASE)
_OTHER_DATES = {
    "MM/DD/YYYY": "{1}/{2}/{0}",
    "DD/MM/YYYY": "{2}/{1}/{0}",
    "DD-MM-YYYY": "{2}-{1}-{0}",
    "MM-DD-YYYY": "{1}-{2}-{0}",
}


def _text(schema: Mapping[str, Any], hint: Hint, random: Random) -> str:
    form = schema.get("format")
    pattern = schema.get("pattern")
    if isinstance(pattern, str):
        drawn = text_for(pattern, random)
        if drawn is None:
            raise NoValue(f"no text that the pattern {pattern[:60]!r} of {hint.name} matches could be drawn")
        return drawn
    if form in _FIXED:
        return random.choice(_FIXED[form])
    if form in _FORMATS:
        return vocabulary.draw(_FORMATS[form], random)
    described = hint.described or str(schema.get("description", ""))
    text = _described(described, hint, random)
    return _of_length(text, _whole(schema.get("minLength"), 0), schema.get("maxLength"), random)


def _described(described: str, hint: Hint, random: Random) -> str:
    """Return a text as the parameter's description has them, or of what it is called."""
    for form, order in _OTHER_DATES.items():
        if form in described:
            return order.format(*vocabulary.draw("date", random).split("-"))
    if _ISO_DATE.search(described):
        return vocabulary.draw("date", random)
    examples = vocabulary.examples_in(described)
    if "City, " in described or any(re.fullmatch(r"[A-Z][\w .]+, [A-Z][\w ]+", one) for one in examples[:1]):
        pair = (
            ("city", "state")
            if ", State" in described or re.search(r"state|, [A-Z]{2}\b", described)
            else ("city", "country")
        )
        return random.choice([*examples[:2], *_PLACES[pair[1]], *_PLACES[pair[1]]])
    if examples and random.random() < (0.7 if len(examples) > 2 else 0.3):
        return random.choice(examples)
    topic = vocabulary.topic_of(hint.name, hint.tool, described)
    return vocabulary.draw(
        topic or (random.choice(["topic", "keyword"]) if "search" in words(hint.tool) else ""), random
    )


_PLACES = {
    "state": ("Boston, MA", "Austin, TX", "Denver, CO", "Tampa, FL", "Portland, OR", "San Diego, CA", "New Orleans, LA",
              "Chicago, IL", "Seattle, WA", "Salt Lake City, UT", "Madison, WI", "Savannah, GA"),
    "country": ("Oslo, Norway", "Porto, Portugal", "Kyoto, Japan", "Lima, Peru", "Cork, Ireland", "Accra, Ghana",
                "Turin, Italy", "Hanoi, Vietnam", "Nairobi, Kenya", "Vienna, Austria"),
}  # fmt: skip


def _of_length(text: str, least: int, most: Any, random: Random) -> str:
    while len(text) < least:
        text += " " + vocabulary.draw("note", random)
    limit = most if isinstance(most, int) and not isinstance(most, bool) else len(text)
    return text if len(text) <= limit else (text[:limit].rstrip() or "x" * limit)


def _edges(schema: Mapping[str, Any], hint: Hint) -> Iterator[Drawn]:
    """Yield values at the edges of what `schema` allows, each with its name. They may not fit."""
    if any(key in schema for key in ("enum", "const", "oneOf", "anyOf")):
        return
    match type_of(schema):
        case "integer" | "number":
            low, high = limits(schema)
            yield from (Drawn(_exact(v), edge) for v, edge in ((low, "minimum"), (high, "maximum")) if v is not None)
            if low is None or low <= 0:
                yield Drawn(0, "zero")
            if low is None and not _is_counted(hint):
                yield Drawn(-7, "negative")
        case "string" if "pattern" not in schema and "format" not in schema and _is_free(hint):
            yield Drawn("Đặng Thị Hoa, 東京", "other scripts")
            yield Drawn('the "blue" one, not Tom\'s', "quotation marks")
            yield Drawn("C:\\new\\table {1} <b>50% & more</b>", "markup")


def _is_counted(hint: Hint) -> bool:
    """Say whether the number counts something, or is an id, so that nobody would say a negative one."""
    return vocabulary.topic_of(hint.name) != "" or any(word in _RANGES for word in words(hint.name))


def _is_free(hint: Hint) -> bool:
    return vocabulary.topic_of(hint.name, hint.tool) in ("message", "note", "subject", "event", "task", "name_of_thing")


def _exact(value: float) -> float | int:
    return int(value) if float(value).is_integer() else value


def _singular(name: str) -> str:
    said = label(name)
    return said[:-3] + "y" if said.endswith("ies") else said.removesuffix("s")


def _whole(value: Any, otherwise: int) -> int:
    return int(value) if is_number(value) else otherwise


def is_number(value: Any) -> TypeGuard[float]:
    """Say whether a JSON value is a number; true and false are none."""
    return isinstance(value, int | float) and not isinstance(value, bool)
