"""`tiny`'s tokenizer: text comes back, words are the same tokens everywhere, spaces between them cost nothing."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation.engines.chat import ChatFormat
from tests.training.making import tiny_tokenizer
from training.tiny import SHIPPED
from training.tiny.tokenizer import GAP, SPECIAL

TEXT = st.text(st.characters(exclude_categories=("Cs",), exclude_characters=GAP), max_size=60)
WORDS = st.lists(
    st.sampled_from(("Oslo", "a1b2", "42", "x", " ", "  ", ", ", '": "', "'", "é", "/", "@", "\n", "-", "。"))
)


def tokens(text: str) -> list[str]:
    tokenizer = tiny_tokenizer()
    return tokenizer.convert_ids_to_tokens(tokenizer.encode(text, add_special_tokens=False))


def back(text: str) -> str:
    tokenizer = tiny_tokenizer()
    return tokenizer.decode(tokenizer.encode(text, add_special_tokens=False))


@settings(max_examples=300, deadline=None)
@given(TEXT | WORDS.map("".join))
def test_any_text_comes_back(text: str) -> None:
    assert back(text) == text


@pytest.mark.parametrize("value", ["Oslo", "FL5846", "Omar Olsen", "qaqkt@ddbx.com", "/a9/b.txt", "zwölf Äpfel"])
def test_a_value_is_the_same_tokens_in_a_sentence_and_in_a_call(value: str) -> None:
    own = tokens(value)

    def holds(text: str) -> bool:
        found = tokens(text)
        return any(found[at : at + len(own)] == own for at in range(len(found)))

    assert holds(f"Send {value} now.") or value.startswith("/")
    assert holds(f'{{"name": "x", "arguments": {{"a": "{value}"}}}}')


def test_a_space_between_words_costs_nothing_and_digits_stand_alone() -> None:
    assert len(tokens("mail mail mail")) == 3 * len(tokens("mail"))
    assert tokens("mail mail") != tokens("mailmail")
    assert len(tokens("123")) == 3
    assert all(len(token.strip("▁")) == 1 for token in tokens("x 2026 90"))


def test_no_text_is_a_special_token_by_chance() -> None:
    tokenizer = ChatFormat.load(SHIPPED).tokenizer
    for mark in SPECIAL:
        assert tokenizer.encode(mark, add_special_tokens=False) == [tokenizer.convert_tokens_to_ids(mark)]
        assert tokenizer.decode(tokenizer.encode(f"a{mark}b", add_special_tokens=False)) == f"a{mark}b"
