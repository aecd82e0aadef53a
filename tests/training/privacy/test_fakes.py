"""Made-up values: as valid as the real ones, one for one, and told from real ones by whoever knows the key."""

from __future__ import annotations

import json
from ipaddress import ip_address

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, FormatChecker

from evaluation.records import Message, ToolCall, ToolSpec
from tests.training.privacy.test_find import IDS
from training.privacy.config import OwnTerms, PrivacyConfig
from training.privacy.fakes import canonical, is_made_up, is_of
from training.privacy.find import find
from training.privacy.kinds import Pii
from training.privacy.pseudonyms import Pseudonyms
from training.privacy.scrub import scrub, scrub_texts, scrub_with_fields

VALUES = [
    (Pii.MAIL, "ann.lee@corp.co.uk"), (Pii.PHONE, "+49 (0)171 2345678"), (Pii.PHONE, "(415) 555-9134"),
    (Pii.PHONE, "0033 6 12 34 56 78"), (Pii.PHONE, "415.555.9134x22"), (Pii.PHONE, "(0046)-557210"),
    (Pii.CARD, "3782 822463 10005"),
    (Pii.IBAN, "GB29 NWBK 6016 1331 9268 19"), (Pii.SECRET, "xoxb-123456789012-123456789012-abcDEF123ghiJKL456mnoPQR"),
    (Pii.SECRET, "SK" + "0a1b2c3d" * 4), (Pii.IP, "8.8.4.4"), (Pii.IP, "2606:4700::1111"),
    *((Pii.NATIONAL_ID, value) for _, value in IDS),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "value"), VALUES)
def test_a_made_up_value_is_valid_in_the_same_form_and_bears_the_mark_of_its_key(kind: Pii, value: str) -> None:
    text = f"Here: {value}."
    fake = Pseudonyms("example-1").of(kind, value)
    assert fake != value
    assert [one.kind for one in find(text.replace(value, fake))] == [kind]
    shape = ["a" if char.isalpha() else "9" if char.isdigit() else char for char in fake]
    if kind not in (Pii.IP, Pii.MAIL) and not value.startswith("SK"):
        assert shape == ["a" if char.isalpha() else "9" if char.isdigit() else char for char in value]
    assert is_made_up("example-1", kind, fake)
    assert is_made_up("example-1", kind, value) is False
    if kind is not Pii.IP:
        assert not is_made_up("example-2", kind, fake)


@settings(max_examples=60, deadline=None)
@given(st.from_regex(r"[a-z]{1,12}(\.[a-z]{1,8})?@[a-z]{2,12}\.(com|de|co\.uk)", fullmatch=True), st.text(max_size=4))
def test_a_mail_address_stays_as_long_as_it_was_where_its_domain_has_room(mail: str, key: str) -> None:
    fake = Pseudonyms(key).of(Pii.MAIL, mail)
    assert len(fake) == len(mail) or len(mail.partition("@")[2]) < 6
    assert fake.rpartition(".")[2] in ("test", "example", "com", "org", "net")
    assert is_made_up(key, Pii.MAIL, fake)


def test_real_values_bear_the_mark_only_by_chance() -> None:
    cards = [f"4{number:014d}" for number in range(10**11, 10**11 + 3000)]
    passing = sum(is_made_up("k", Pii.CARD, card + "0") for card in cards)
    assert passing <= 2, "one in 10^5 is expected"


def test_scrubbing_again_changes_nothing() -> None:
    said = "I am ann.lee@corp.com, +49 171 2345678, card 4111 1111 1111 1111, SSN 078-05-1120, a@b.co, 8.8.8.8"
    once = scrub([Message(role="user", content=said)], (), "e").messages
    assert once[0].content != said
    again = scrub(once, (), "e")
    assert again.messages == once
    assert again.counts == {}


def tool(**properties: object) -> ToolSpec:
    return ToolSpec(name="book", description="", parameters={"type": "object", "properties": properties})


def test_arguments_stay_valid_against_the_tools_schema() -> None:
    book = tool(
        mail={"type": "string", "format": "email", "maxLength": 14},
        phone={"type": "string", "pattern": r"^\+49 1[5-7]\d \d{7}$"},
        guest={"type": "object", "properties": {"ssn": {"type": "string", "pattern": r"^\d{3}-\d{2}-\d{4}$"}}},
        hosts={"type": "array", "items": {"type": "string", "format": "ipv4"}},
        tier={"type": "string", "enum": ["a@gold.com"]},
    )
    arguments = {"mail": "ann@corp12.com", "phone": "+49 171 2345678", "guest": {"ssn": "078-05-1120"},
                 "hosts": ["8.8.8.8"], "tier": "a@gold.com"}  # fmt: skip
    validator = Draft202012Validator(book.parameters, format_checker=FormatChecker())
    assert validator.is_valid(arguments)
    for key in ("a", "b", "c", "d", "e"):
        call = ToolCall(id="1", name="book", arguments=arguments)
        done = scrub_with_fields([Message(role="assistant", tool_calls=(call,))], [book], key)
        replaced = done.messages[0].tool_calls[0].arguments
        assert validator.is_valid(replaced), replaced
        assert replaced["tier"] == "a@gold.com"
        assert done.unfit == 0
        assert not {"ann@corp12.com", "078-05-1120", "8.8.8.8"} & set(json.dumps(replaced).split('"'))
    assert done.counts[Pii.MAIL, "book.arguments.mail"] == 1
    assert done.counts[Pii.NATIONAL_ID, "book.arguments.guest.ssn"] == 1


def test_a_schema_that_nothing_made_up_can_fit_is_counted_and_the_value_goes_all_the_same() -> None:
    call = ToolCall(id="1", name="book", arguments={"mail": "ann@corp.com"})
    book = tool(mail={"type": "string", "pattern": r"@corp\.com$"})
    done = scrub_with_fields([Message(role="assistant", tool_calls=(call,))], [book], "k")
    assert done.unfit == 1
    assert done.messages[0].tool_calls[0].arguments["mail"].endswith("corp.com") is False


def test_bare_numbers_are_replaced_where_their_key_names_them() -> None:
    result = {"ssn": 123456789, "phone": 4155559134, "order": 4155559135, "password": "hunter2", "when": 1735689600}
    message = Message(role="tool", name="find", tool_call_id="1", content=json.dumps(result))
    done = scrub([message], (), "k")
    after = json.loads(done.messages[0].content)
    assert (after["order"], after["when"]) == (4155559135, 1735689600)
    for key in ("ssn", "phone", "password"):
        assert after[key] != result[key]
        assert len(str(after[key])) == len(str(result[key]))


def test_terms_stay_one_word_and_may_have_a_fixed_replacement() -> None:
    config = PrivacyConfig(
        terms=(OwnTerms(name="people", words=("Ann",)), OwnTerms(name="firm", words=("Acme",), replacement="COMPANY"))
    )
    messages = [Message(role="user", content="Ann of Acme"), Message(role="assistant", content="Hello Ann! ACME?")]
    user, answer = scrub(messages, (), "k", config).messages
    name = user.content.split()[0]
    assert name != "Ann"
    assert user.content == f"{name} of COMPANY"
    assert answer.content == f"Hello {name}! COMPANY?"
    assert scrub_texts(["Ann asked"], messages, "k", config) == [f"{name} asked"]


def test_canonical_forms_join_spellings() -> None:
    assert canonical(Pii.PHONE, "+49 (0)171 2345678") == canonical(Pii.PHONE, "0049 171 2345678") == "+491712345678"
    assert canonical(Pii.IBAN, "de89-3704 0044 0532 0130 00") == "DE89370400440532013000"


def test_every_address_that_is_drawn_is_one() -> None:
    fakes = Pseudonyms("k")
    for number in range(700):
        assert ip_address(fakes.of(Pii.IP, f"2606:4700::{number:x}")).version == 6
        assert ip_address(fakes.of(Pii.IP, f"8.8.{number // 250}.{number % 250}")).version == 4


def test_real_ids_and_phones_are_not_taken_for_made_up_ones() -> None:
    values = [(Pii.NATIONAL_ID, f"X{number}L") for number in range(1_000_000, 1_001_500)]
    values += [(Pii.NATIONAL_ID, f"811228-{number}") for number in range(1000, 9999)]
    values += [(Pii.NATIONAL_ID, f"123-45-{number}") for number in range(1000, 2500)]
    values += [(Pii.PHONE, f"+49 171 {number}") for number in range(1_000_000, 1_001_500)]
    passing = sum(is_of(["k"], kind, value) for kind, value in values)
    assert passing <= 4, "one in 10^4 and fewer is expected"
