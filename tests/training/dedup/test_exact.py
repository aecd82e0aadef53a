"""Exact keys: what is the same after normalisation, and only that."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.training.dedup.tables import table
from training.dedup import DedupConfig, ExactConfig, NearConfig, dedup
from training.dedup.exact import keepers, keys, normalised


def kept(texts, **config) -> int:
    return len(dedup([table(texts)], DedupConfig(exact=ExactConfig(**config), near=NearConfig(enabled=False))).kept)


@pytest.mark.parametrize(
    ("left", "right", "none", "case_space", "nfkc"),
    [
        ("a b", "a b", 1, 1, 1),
        ("a b", "A  b\n", 2, 1, 1),
        ("ÄB\u00a0c", "äb c", 2, 1, 1),
        ("ﬁn", "fin", 2, 2, 1),
        ("a b", "ab", 2, 2, 2),
        ("", " \t", 2, 1, 1),
    ],
)
def test_normalisation(left: str, right: str, none: int, case_space: int, nfkc: int) -> None:
    found = [kept([left, right], normalise=how) for how in ("none", "case_space", "nfkc")]
    assert found == [none, case_space, nfkc]


@given(st.lists(st.one_of(st.none(), st.text(alphabet=st.sampled_from("aB \t\n\u00a0ä.1"), max_size=8)), max_size=12))
def test_runs_of_white_space_are_one_space(texts) -> None:
    found = normalised(pa.array(texts, pa.large_string()), "case_space").to_pylist()
    assert found == [None if text is None else " ".join(text.lower().split()) for text in texts]


def test_all_fields_count_and_do_not_run_together() -> None:
    rows = table(["a", "a", "a", "ab"], answer=["x", "y", "x", None], tools=[["t"], ["t"], ["t"], []])
    config = DedupConfig(exact=ExactConfig(fields=("text", "answer", "tools")), near=NearConfig(enabled=False))
    assert dedup([rows], config).kept.to_pylist() == ["r00000", "r00001", "r00003"]
    for left, right in ((["ab", "c"], ["a", "bc"]), ([None, "a"], ["a", None]), (["", "a"], [None, "a"])):
        rows = table([left[0], right[0]], b=pa.array([left[1], right[1]], pa.string()))
        config = DedupConfig(exact=ExactConfig(fields=("text", "b")), near=NearConfig(enabled=False))
        assert len(dedup([rows], config).kept) == 2


def test_a_key_is_16_bytes() -> None:
    batch = table(["a" * 10_000, "b"]).to_batches()[0]
    found = keys(batch, np.zeros(2, np.uint64), ExactConfig())
    assert found.nbytes == 32
    assert keepers(np.concatenate([found, found])).tolist() == [0, 1, 0, 1]
