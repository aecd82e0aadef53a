"""No text makes a codec raise, and none is read otherwise in pieces than whole."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from tests.evaluation.protocols.fuzzing import CODECS, MARKS, PLACES, TEXTS, broken_by


@settings(max_examples=1000)
@given(TEXTS, PLACES)
def test_whatever_a_model_writes_is_read_the_same_whole_and_in_pieces(text: str, places: list[int]) -> None:
    assert broken_by(text, places) is None


@pytest.mark.parametrize("pattern", ["[", "{", '{"a":', "<", "<path>", "[[{", "\ud800", "<read_file><path>"])
def test_a_megabyte_of_brackets_is_read(pattern: str) -> None:
    text = pattern * (2**20 // len(pattern))
    assert broken_by(text, [1, 5000, 9999]) is None


def test_every_codec_is_there_and_what_breaks_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    assert {"roo xml", "roo native", "cline xml", "hermes json", "mcp json"} <= {
        f"{codec.protocol.name} {codec.name}" for codec in CODECS
    }
    monkeypatch.setattr("evaluation.protocols.json_text.parse_json", None)
    assert "TypeError" in str(broken_by("<tool_call>{}</tool_call>", []))
    assert all(MARKS)
