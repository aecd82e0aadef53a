"""Agreement with Roo Code's own parsers, on recorded cases that do not ship with the project."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from evaluation.protocols.cases import check_file, read_cases
from evaluation.protocols.load import load_protocol
from evaluation.protocols.spec import object_schema
from tests.evaluation.protocols.making import ROO_NATIVE, ROO_XML

OUTSIDE = Path(__file__).parents[4] / "shared" / "roo"
FIELDS = ("valid", "tool", "params", "error", "error_param")

pytestmark = [
    pytest.mark.outside,
    pytest.mark.skipif(not OUTSIDE.is_dir(), reason="the recorded cases of Roo Code are not beside the repository"),
]


def test_every_case_gets_the_verdict_that_roo_gives(tmp_path: Path) -> None:
    cases, out = OUTSIDE / "cases_dev.jsonl", tmp_path / "verdicts.jsonl"
    check_file(load_protocol("roo"), cases, out)
    rows = [json.loads(line) for line in cases.read_text().splitlines()]
    verdicts = [json.loads(line) for line in out.read_text().splitlines()]
    assert [row["id"] for row in rows] == [verdict["id"] for verdict in verdicts]
    counted: dict[str, int] = defaultdict(int)
    wrong = []
    for row, verdict in zip(rows, verdicts, strict=True):
        expected = {"error_param": None, **row["expected"]}
        if "declared_required_missing" in expected:
            continue
        # Of a bad call the parameters are only what the parser had until then.
        fields = [field for field in FIELDS if field != "params" or expected["valid"]]
        counted[row["protocol"]] += 1
        wrong += [(row["id"], field, verdict[field]) for field in fields if verdict[field] != expected[field]]
    assert wrong == []
    assert min(counted["xml"], counted["native"]) > 40


def test_every_text_gives_the_same_verdict_in_pieces() -> None:
    for case in read_cases(load_protocol("roo"), OUTSIDE / "cases_dev.jsonl"):
        if isinstance(case.message, str):
            parser = ROO_XML.parser()
            for character in case.message:
                parser.feed(character)  # type: ignore[arg-type]
            assert ROO_XML.judge.turn(parser.close()) == ROO_XML.check(case.message), case.id


def test_the_tools_are_those_of_the_facts() -> None:
    facts = json.loads((OUTSIDE / "tools.json").read_text())
    xml, native = facts["xml"]["tools"], facts["native"]["tools"]
    assert {name: _declared(ROO_XML, name) for name in ROO_XML.tools} == {
        name: (set(tool["required"]), set(tool["optional"])) for name, tool in xml.items()
    }
    assert ROO_NATIVE.tools.keys() == native.keys()
    for name, tool in native.items():
        own = ROO_NATIVE.tools[name].tool
        assert own is not None
        assert {key for key, one in own.parameters.items() if one.required is True} == set(tool["parser_required"])
        if "schema_required" in tool:
            schema = object_schema(own.parameters)
            assert set(schema["required"]) == set(tool["schema_required"]), name
            assert {key: _types(one) for key, one in schema["properties"].items()} == {
                key: _types(one) for key, one in tool["parameters"].items()
            }
    assert ROO_NATIVE.encoding.aliases == facts["native"]["aliases"]  # type: ignore[union-attr]
    parser = ROO_XML.parser()
    assert parser._parameters == set(facts["xml"]["parameter_names_known_to_parser"])  # type: ignore[union-attr]


def _declared(codec: Any, name: str) -> tuple[set[str], set[str]]:
    schema = codec.tools[name].spec.parameters
    return set(schema["required"]), set(schema["properties"]) - set(schema["required"])


def _types(schema: dict[str, Any]) -> set[str]:
    kind = schema.get("type")
    return set(kind) if isinstance(kind, list) else {kind}
