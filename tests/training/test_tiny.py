"""`tiny` has never met the built-in suite, its rows are right and always the same, and the shipped folder is whole."""

from __future__ import annotations

import hashlib
import itertools
import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterator
from functools import cache
from typing import Any

import jsonschema
import pytest
import yaml
from safetensors import safe_open

from evaluation.alternatives import alternatives
from evaluation.engines.chat import ChatFormat
from evaluation.expand import expand
from evaluation.model_folder import check_folder, model_files
from evaluation.scenarios import Part
from evaluation.templates import SUITES
from training.tiny import SHIPPED, phrasing
from training.tiny.build import SEED
from training.tiny.card import flattening
from training.tiny.generator import Row, conversation
from training.tiny.tokenizer import template_text, word_pieces
from training.tiny.tools import tools_for
from training.tiny.values import Dice

ROWS = 800
FLAT = 0.02
"""Most that the evaluation loss may have fallen over the last fifth of the steps; the card states how much it was."""
SLOT = re.compile(r"\{[^{}]*\}")
VALUE = r"[\w']+(?: [\w']+){0,3}"
"""What a slot of the suite stands for: one to four words."""


def suite_texts(key: str) -> list[str]:
    """Return all texts under `key` anywhere in the built-in suite's files."""

    def walk(node: Any) -> Iterator[str]:
        for name, value in node.items() if isinstance(node, dict) else enumerate(node):
            if name == key:
                yield from [value] if isinstance(value, str) else [v for v in value if isinstance(v, str)]
            if isinstance(value, dict | list):
                yield from walk(value)

    files = sorted((SUITES / "tools").glob("*.yaml"))
    return [text for file in files for text in walk(yaml.safe_load(file.read_text()))]


def suite_tools() -> list[dict[str, Any]]:
    files = sorted((SUITES / "tools").glob("*.yaml"))
    return [tool for file in files for tool in yaml.safe_load(file.read_text()).get("tools", ())]


def words(text: str) -> str:
    """Return `text` in lower case, with its slots as one mark and without punctuation."""
    return " ".join(re.findall(r"[\w']+|_", SLOT.sub(" _ ", text.lower())))


def suite_phrasings() -> list[str]:
    """Return every text that a phrasing of the suite stands for."""
    return [text for phrasing in suite_texts("phrasings") for text in alternatives(phrasing)]


@cache
def rows() -> tuple[Row, ...]:
    """Return rows as `tiny` read them: odd words are made of its tokenizer's pieces; some without any."""
    pieces = word_pieces(ChatFormat.load(SHIPPED).tokenizer)
    return tuple(conversation(SEED, n, pieces if n % 4 else ()) for n in range(ROWS))


def said(role: str) -> list[str]:
    return [m["content"] for row in rows() for m in row["messages"] if m["role"] == role]


def test_no_tool_of_the_suite_occurs() -> None:
    """Exact names and descriptions, over many tool lists with known and with odd words."""
    names = {tool["name"] for tool in suite_tools()}
    described = {words(tool["description"]) for tool in suite_tools()}
    assert len(names) > 20
    drawn = [tool for n in range(1200) for tool in tools_for(Dice.of(f"tools {n}"), 6, odd=n % 2 == 0)]
    assert len({tool.name for tool in drawn}) > 5000
    assert names.isdisjoint(tool.name for tool in drawn)
    assert described.isdisjoint(words(tool.description) for tool in drawn)


def test_no_phrasing_of_the_suite_is_a_template_of_the_generator() -> None:
    """Exact, with slots as one mark: `Cancel the {x}` would equal `{V} the {N}` filled with a verb of the lexicon."""
    suite = {words(text) for text in suite_phrasings()}
    assert len(suite) > 200
    frames = (phrasing.CORES, phrasing.QUESTIONS, phrasing.QUESTIONS_OPEN, phrasing.THINGS_ONLY, phrasing.VERBS_ONLY)
    own = {words(t) for t in (*itertools.chain(*frames), *phrasing.ASK, *phrasing.NONE_FITS)}
    assert suite.isdisjoint(own)


def test_no_generated_sentence_is_a_phrasing_of_the_suite_with_its_slots_filled() -> None:
    """A phrasing of three fixed words or more is a pattern whose slots stand for one to four words; none matches."""
    by_word: dict[str, list[tuple[set[str], re.Pattern[str]]]] = defaultdict(list)
    texts = {words(text) for text in suite_phrasings()}
    common = Counter(word for text in texts for word in set(text.split()))
    for text in texts:
        fixed = set(text.split()) - {"_"}
        if len(fixed) >= 3:
            rarest = min(fixed, key=lambda word: (common[word], word))
            by_word[rarest].append((fixed, re.compile(re.sub(r"\b_\b", lambda _: VALUE, text))))
    assert sum(map(len, by_word.values())) > 5000

    def found(text: str) -> list[str]:
        said = words(text)
        there = set(said.split())
        candidates = [c for word in there for c in by_word.get(word, ()) if c[0] <= there]
        return [text for _, pattern in candidates if pattern.fullmatch(said)]

    asked = [scenario.query for scenario in expand("tools", 0, counts={Part.LIVE: 60}).part(Part.LIVE)]
    assert sum(bool(found(text)) for text in asked) > 40, "the suite's own messages are found"
    assert [hit for text in said("user") for hit in found(text)] == []


def test_no_answer_of_the_suite_is_said() -> None:
    references = {words(text) for text in suite_texts("reference") if not SLOT.search(text)}
    assert references.isdisjoint(words(text) for text in said("assistant"))


def test_a_row_depends_on_seed_and_index_alone() -> None:
    picked = (0, 7, 91)
    assert [conversation(3, n) for n in picked] == [conversation(3, n) for n in picked[::-1]][::-1]
    assert conversation(3, 7) != conversation(4, 7)
    digest = hashlib.sha256(json.dumps([conversation(3, n) for n in range(50)]).encode()).hexdigest()
    assert digest == "b76a1e58f32c25fd49db0b264bff3ebeb87998d6d4709238a2867366beef5ae8", (
        "the generator changed: make the shipped model again, or its card is not true"
    )


def test_calls_conform_to_their_schemas_and_their_arguments_stand_in_the_text() -> None:
    checked = 0
    for row in rows():
        tools = {tool["function"]["name"]: tool["function"] for tool in row["tools"]}
        assert len(tools) == len(row["tools"])
        seen = ""
        for message in row["messages"]:
            for call in message.get("tool_calls", ()):
                function, checked = call["function"], checked + 1
                jsonschema.validate(function["arguments"], tools[function["name"]]["parameters"])
                assert function["arguments"].keys() <= tools[function["name"]]["parameters"]["properties"].keys()
                missing = [v for v in function["arguments"].values() if str(v) not in seen]
                assert not missing, (missing, seen)
            if message["role"] in ("user", "tool"):
                seen += message["content"] + "\n"
    assert checked > 1000


def test_every_call_has_its_result_and_every_row_ends_with_an_answer() -> None:
    for row in rows():
        assert row["messages"][-1]["role"] == "assistant"
        if row["messages"][0]["content"] == "" and all(m["role"] != "tool" for m in row["messages"]):
            continue  # plain lookup: requests and calls only
        assert "tool_calls" not in row["messages"][-1]
        for one, after in zip(row["messages"], row["messages"][1:], strict=False):
            if "tool_calls" in one:
                assert (after["role"], after["tool_call_id"]) == ("tool", one["tool_calls"][0]["id"])


def test_the_shipped_folder_is_small_whole_and_safe() -> None:
    check_folder(SHIPPED)
    names = {path.name for path in model_files(SHIPPED)}
    assert {"README.md", "curve.json", "curve.png", "training.json"} <= names
    assert sum(path.stat().st_size for path in model_files(SHIPPED)) <= 12 * 1024**2
    with safe_open(SHIPPED / "model.safetensors", "pt") as weights:
        sizes = [weights.get_slice(name).get_shape() for name in weights.keys()]  # noqa: SIM118
    assert 1e6 < sum(a * (b[0] if b else 1) for a, *b in ((s[0], *s[1:2]) for s in sizes)) < 1e7


def test_the_shipped_template_is_the_one_in_the_tree() -> None:
    ours = hashlib.sha256(template_text().encode()).hexdigest()[:16]
    assert ChatFormat.load(SHIPPED).template_hash == ours


@pytest.fixture(scope="module")
def curve() -> dict[str, list[dict[str, float]]]:
    return json.loads((SHIPPED / "curve.json").read_text())


def test_the_shipped_curve_is_whole_and_has_flattened(curve: dict[str, list[dict[str, float]]]) -> None:
    told = json.loads((SHIPPED / "training.json").read_text())
    assert told["seed"] == SEED
    assert curve["eval"][-1]["step"] == told["recipe"]["steps"]
    assert curve["train"][0]["loss"] > 5 * curve["eval"][-1]["eval_loss"]
    assert flattening(curve["eval"]) < FLAT


def test_the_card_states_the_curves_figures(curve: dict[str, list[dict[str, float]]]) -> None:
    card = (SHIPPED / "README.md").read_text()
    assert f"{curve['eval'][-1]['eval_loss']:.4f} nats" in card
    assert f"fell by {100 * flattening(curve['eval']):.1f}%" in card
    assert "task_success" in card
