"""Scrubbing: what is found, what is left alone, and that a scrubbed conversation is still the same conversation."""

from __future__ import annotations

import ipaddress
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation.records import Message, ToolCall, ToolSpec
from training.privacy.checks import digits_of, iban_remainder, luhn_ok
from training.privacy.find import find
from training.privacy.kinds import Pii
from training.privacy.pseudonyms import Pseudonyms
from training.privacy.scrub import scrub

KEY = "AKIA" + "ABCDEFGHIJ234567"
FOUND = [
    (Pii.MAIL, "ann.lee@example.com"),
    (Pii.MAIL, "Jörg_7+news@mail.kunden.de"),
    (Pii.PHONE, "+1 415 555 0134"),
    (Pii.PHONE, "(415) 555-0134"),
    (Pii.PHONE, "415-555-0134"),
    (Pii.PHONE, "+491701234567"),
    (Pii.PHONE, "0171 2345678"),
    (Pii.CARD, "4111 1111 1111 1111"),
    (Pii.CARD, "378282246310005"),
    (Pii.IBAN, "DE89 3704 0044 0532 0130 00"),
    (Pii.IBAN, "GB29NWBK60161331926819"),
    (Pii.IP, "93.184.216.34"),
    (Pii.IP, "2606:2800:220:1:248:1893:25c8:1946"),
    (Pii.SECRET, "sk-proj-abcdefghijklmnopqrstuv"),
    (Pii.SECRET, "ghp_" + "a1B2" * 9),
    (Pii.SECRET, KEY),
    (Pii.SECRET, "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NSJ9.dBjftJeZ4CVPmB92K27uhbUJU1p1r"),
    (Pii.URL_CREDENTIALS, "bob:hunter2"),
]
LEFT = [
    "order ORD-12345678 from 2025-03-04 10:00",
    "version 1.2.3.4 and v10.0.0.1",
    "localhost is 127.0.0.1",
    "card 4111 1111 1111 1112 fails Luhn",
    "DE89 3704 0044 0532 0130 01 fails mod 97",
    "flight LH 0400 at 12:30:45 for 1,299.00 EUR",
    "3.14159265 and 10-20-30 and 100 200 300",
    "a@b and @handle and f(x)@g",
    "tracking 1Z999AA10123456784",
]


@pytest.mark.parametrize(("kind", "value"), FOUND)
def test_published_shapes_are_found_whole_and_replaced_by_another_valid_one(kind: Pii, value: str) -> None:
    text = f"https://{value}@db.local/x" if kind is Pii.URL_CREDENTIALS else f"Use {value}, please."
    [finding] = find(text)
    assert (finding.kind, text[finding.start : finding.end]) == (kind, value)
    fake = Pseudonyms("example").of(kind, value)
    assert fake != value
    again = find(text.replace(value, fake))
    assert [f.kind for f in again] == [kind], f"{fake} is no valid {kind}"


@pytest.mark.parametrize("text", LEFT)
def test_ordinary_ids_dates_and_failed_checksums_are_left(text: str) -> None:
    assert find(text) == []


@settings(max_examples=150, deadline=None)
@given(st.from_regex(r"[2-6][0-9]{14}", fullmatch=True), st.text(max_size=5))
def test_cards_keep_their_length_and_luhn(body: str, key: str) -> None:
    card = next(body + c for c in "0123456789" if luhn_ok(body + c))
    fake = Pseudonyms(key).of(Pii.CARD, card)
    assert len(fake) == 16
    assert luhn_ok(fake)


def test_iban_keeps_country_length_and_checksum() -> None:
    fake = Pseudonyms("x").of(Pii.IBAN, "DE89 3704 0044 0532 0130 00")
    assert fake[:2] == "DE"
    assert [i for i, c in enumerate(fake) if c == " "] == [4, 9, 14, 19, 24]
    assert iban_remainder(fake.replace(" ", "")) == 1
    assert ipaddress.ip_address(Pseudonyms("x").of(Pii.IP, "93.184.216.34")) in ipaddress.ip_network("198.18.0.0/15")


def conversation() -> tuple[tuple[Message, ...], tuple[ToolSpec, ...]]:
    tools = (
        ToolSpec(
            name="send",
            description="Send a mail.",
            parameters={"type": "object", "properties": {"from": {"enum": ["desk@shop.test"]}}},
        ),
    )
    result = {"ann@work.org": 1, "id": "call-1", "mail": "Ann@Work.org", "phone": 14155550134, "note": 'ö\n"q"'}
    messages = (
        Message(role="user", content="Mail ann@work.org from desk@shop.test; I am on +1 (415) 555-0134."),
        Message(
            role="assistant",
            tool_calls=(
                ToolCall(
                    id="ann@work.org",
                    name="send",
                    arguments={"to": "ann@work.org", "from": "desk@shop.test", "n": 14155550134},
                ),
            ),
        ),
        Message(role="tool", tool_call_id="ann@work.org", name="send", content=json.dumps(result, ensure_ascii=False)),
        Message(role="assistant", content="Sent to ann@work.org, call 14155550134."),
    )
    return messages, tools


def test_a_value_is_the_same_value_wherever_the_conversation_says_it() -> None:
    messages, tools = conversation()
    user, call, result, answer = scrub(messages, tools, "example-1").messages
    arguments, returned = call.tool_calls[0].arguments, json.loads(result.content)
    assert "ann@work.org" not in user.content + answer.content + arguments["to"]
    assert arguments["to"] in user.content
    assert arguments["to"] == returned["mail"]
    assert answer.content == f"Sent to {arguments['to']}, call {arguments['n']}."
    assert arguments["n"] == returned["phone"] != 14155550134
    assert digits_of(user.content.partition("I am on")[2]) == str(arguments["n"])


def test_ids_and_the_tools_own_values_are_never_touched_and_keys_only_where_they_are_data() -> None:
    messages, tools = conversation()
    user, call, result, _ = scrub(messages, tools, "example-1").messages
    assert (call.tool_calls[0].id, result.tool_call_id) == ("ann@work.org", "ann@work.org")
    assert json.loads(result.content)[json.loads(result.content)["mail"]] == 1
    assert list(json.loads(result.content))[1:] == ["id", "mail", "phone", "note"]
    assert json.loads(result.content)["note"] == 'ö\n"q"'
    assert call.tool_calls[0].arguments["from"] == "desk@shop.test"
    assert "from desk@shop.test;" in user.content


def test_scrubbing_depends_on_the_example_alone_and_counts_by_kind() -> None:
    messages, tools = conversation()
    first, second = scrub(messages, tools, "a"), scrub(messages, tools, "a")
    assert first == second
    assert first.messages != scrub(messages, tools, "b").messages
    assert first.counts == {Pii.MAIL: 5, Pii.PHONE: 4}
    clean = (Message(role="user", content="What is the weather in Oslo on 2025-03-04?"),)
    assert scrub(clean, (), "a").messages == clean


def test_two_values_never_become_one() -> None:
    names = [f"{a}{b}@corp.com" for a in "abcdefghij" for b in "klmnopqrst"]
    fakes = Pseudonyms("k")
    assert len({fakes.of(Pii.MAIL, name) for name in names}) == len(names)


@pytest.mark.parametrize(
    "text", ["a@" * 20_000, "1 " * 20_000, "+" + "1-" * 20_000, "AB12" * 10_000, "://" * 20_000, "::" * 20_000]
)
@pytest.mark.timeout(5)
def test_hostile_text_takes_linear_time(text: str) -> None:
    assert len(list(find(text))) <= len(text)
