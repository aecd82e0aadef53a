"""What counts as personal data: national ids by their published examples, labelled secrets; and what must stay."""

from __future__ import annotations

import random
import string
import sys
import time
from uuid import UUID

import pytest

from evaluation.records import Source
from training.privacy.config import NameConfig, OwnTerms, PrivacyConfig, RetentionConfig
from training.privacy.errors import PrivacyError
from training.privacy.find import find
from training.privacy.kinds import Pii

IDS = [
    ("US", "078-05-1120"), ("CA", "130-692-544"), ("GB", "AB 12 34 56 C"), ("IE", "1234567FA"),
    ("FR", "2 55 08 14 168 025 38"), ("DE", "86 095 742 719"), ("DE", "15070649C103"), ("AT", "1237 010180"),
    ("IT", "RSSMRA85T10A562S"), ("ES", "12345678Z"), ("ES", "X1234567L"), ("BE", "85.07.30-033.28"),
    ("BR", "390.533.447-05"), ("BR", "16.727.230/0001-97"), ("IN", "2341 2341 2346"), ("SE", "811228-9874"),
    ("NO", "15108695088"), ("DK", "211062-5629"), ("FI", "131052-308T"), ("CH", "756.9217.0769.85"),
    ("CN", "11010519491231002X"), ("KR", "971013-9019902".replace("-9", "-2")), ("SG", "S0000001I"),
    ("HK", "G123456(A)"), ("TW", "A123456789"), ("TH", "1-2345-45678-78-1"), ("CL", "12.531.909-2"),
    ("CZ", "710319/2745"), ("RO", "1630615123457"), ("MX", "BOXW310820HNERXN09"), ("IN", "ACUPA7085R"),
]  # fmt: skip
"""Examples that authorities or encyclopaedias publish; none is a person's. Found without a word that names them."""
NAMED = [
    ("My SSN is 078051120", "078051120"),
    ("my SSN: 236044906", "236044906"),
    ('{"ssn": "149030170510"}', "149030170510"),
    ("NHS number 943 476 5919", "943 476 5919"),
    ("PESEL: 44051401359", "44051401359"),
    ("mijn BSN is 111222333", "111222333"),
    ("NIF 123456789", "123456789"),
    ("my tax file number: 123 456 782", "123 456 782"),
    ("IRD 49-091-850", "49-091-850"),
    ("TC kimlik 10000000146", "10000000146"),
    ("OIB: 33392005961", "33392005961"),
    ("my number 123456789018", "123456789018"),
]
LABELLED = [
    ("api_key=9f8a7b6c5d4e3f2a1b0c", "9f8a7b6c5d4e3f2a1b0c"),
    ("password: hunter2!", "hunter2"),
    ('{"client_secret": "Zk3x9Qw7Lp2Rt8Vb"}', "Zk3x9Qw7Lp2Rt8Vb"),
    ("Authorization: Bearer abc123DEF456ghi789", "abc123DEF456ghi789"),
    ("my password is tr0ub4dor&3", "tr0ub4dor&3"),
]
STAYS = [
    "order number 123456789",
    "Order 114-3941689-8772232 was shipped",
    "invoice INV-20251104 of 2025-11-04",
    "timestamp 1735689600",
    "at 1735689600123 ms",
    "2025-03-04T10:00:00Z",
    "12/03/2025 10:30",
    "v2.31.0.1 of the driver",
    "version 10.0.19045.3803",
    "latitude 48.858370, longitude 2.294481",
    "-122.4194155,37.7749295",
    "commit 3f786850e387550fdab836ed7e6dc881de23001b",
    "550e8400-e29b-41d4-a716-446655440000",
    "sha256 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "ISBN 978-3-16-148410-0",
    "SKU 4711-0815",
    "tracking 1Z999AA10123456784",
    "1,299.00 EUR of 12 345 678 EUR",
    "100 200 300",
    "flight LH0400 at 12:30",
    "password is required",
    "enter your password: ",
    "next_page_token: abc123def456ghi7",
    "max_tokens=2048",
    "token: string",
    "the secret of success is work",
    "id 20250304100012",
    "phone: none",
    '{"count": 1234567}',
    "a::b and std::vector",
    "10:20:30:40",
    "f(x)@g and @handle",
    "pid 12345 of 67890",
    "call me on Monday at 10",
    "3.14159265358979",
    "MAC 00:1B:44:11:3A:B7",
    "127.0.0.1:8000",
    "IBAN DE89 3704 0044 0532 0130 01",
    "4111 1111 1111 1112",
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/118.0.5993.70 Safari/537.36",
    "Chrome/120.0.0.0",
    "numpy==1.26.4.1",
    'firmware "1.2.3.4" and {"version": "1.2.3.4"}',
    "section 4.1.1.2 of the manual",
    "x[1::2], y[::3], 10::20 and 3:2::1",
    "icon@2x.png and logo@3x.webp",
    "git clone git@github.com:org/repo.git",
    "react@18.2.0 and @types/node@20.1.1",
    "pk_customer_orders_line_items_created_at",
    "pk_orders_2024_q1_partition_index and sk-learn-compatible-estimators",
    "docker run -u 1000:1000 img --max-tokens 1024",
    "Authorization: required, Basic authentication, Bearer authentication",
    "Authorization: Bearer <token> or Bearer $TOKEN or Bearer YOUR_TOKEN",
    "Password: must contain 8 characters",
    "Settings > Password > Change and <th>Password</th><th>Role</th>",
    "Password:\nForgot your password?",
    "password_reset_token_expiry_hours=24",
    "order_id: 4539578763621486",
    "order number 4539578763621486",
    "be853ab4-9112-2eb7-0090-0c9ead9cc950",
    "5402 0744 9550 3429",
    "2019 2020\n2021 2022",
    "-4111.1111, 4.111111111111111, 0.4111111111111111",
    "1735689600.123456",
    "sha384-oqVuAfXRKap7fdgcCY5uykM6+R9GqQ8K/uxy9rx7HNQlGYl1kPzQho1wx4JwY8wC",
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk",
    "aGVsbG8gd29ybGQgdGhpcyBpcyBhIHRlc3Q=",
    "50%25 off, AT&amp;T, sort=name%20asc, C:\\new\\table, a\\u00e9b",
    "meet (at) noon, foo[.]bar",
    "00-1B-44-11-3A-B7 and 0x7ffee4c0a8d0",
    "arn:aws:s3:::my-bucket-2024",
    "GTIN 04006381333931 and PO 4500012345",
    "0000-0002-1825-0097",
    "trace 4bf92f3577b34da6a3ce929d0e0e4736 of session 9f8a7b6c5d4e3f2a1b0c",
]


@pytest.mark.parametrize(("country", "value"), IDS)
def test_published_ids_are_found_whole_in_a_sentence_that_does_not_name_them(country: str, value: str) -> None:
    text = f"Here it is: {value}, thank you"
    [found] = find(text, PrivacyConfig(countries=(country,)))
    assert (found.kind, text[found.start : found.end]) == (Pii.NATIONAL_ID, value)
    assert [one.kind for one in find(text)] == [Pii.NATIONAL_ID]


@pytest.mark.parametrize(("text", "value"), NAMED)
def test_an_id_whose_form_any_number_has_needs_its_name(text: str, value: str) -> None:
    [found] = find(text)
    assert (found.kind, text[found.start : found.end]) == (Pii.NATIONAL_ID, value)
    assert Pii.NATIONAL_ID not in [one.kind for one in find(f"the order {value} came")]


@pytest.mark.parametrize(("text", "value"), LABELLED)
def test_what_a_label_calls_a_secret_is_one(text: str, value: str) -> None:
    [found] = find(text)
    assert found.kind is Pii.SECRET
    assert text[found.start : found.end].startswith(value)


@pytest.mark.parametrize("text", STAYS)
def test_numbers_that_are_nobodys_stay(text: str) -> None:
    assert [(one.kind, text[one.start : one.end]) for one in find(text)] == []


def test_a_fields_key_says_what_a_bare_value_is() -> None:
    for label, value, kind in (
        ("ssn", "078051120", Pii.NATIONAL_ID),
        ("phoneNumber", "4155550134", Pii.PHONE),
        ("mobile", "609141777", Pii.PHONE),
        ("user_password", "hunter2", Pii.SECRET),
        ("apiKey", "9f8a7b6c5d4e3f2a1b0c", Pii.SECRET),
    ):
        assert [one.kind for one in find(value, label=label)] == [kind], label
        assert find(value, label="order_id") == []
    assert find("9f8a7b6c5d4e3f2a1b0c", label="next_page_token") == []


def test_only_the_kinds_and_countries_that_are_asked_for_are_found() -> None:
    text = "ann@corp.com, 078-05-1120, 131052-308T"
    assert [one.kind for one in find(text, PrivacyConfig(kinds=(Pii.MAIL,)))] == [Pii.MAIL]
    finnish = PrivacyConfig(kinds=(Pii.NATIONAL_ID,), countries=("FI",))
    assert [text[one.start : one.end] for one in find(text, finnish)] == ["131052-308T"]
    assert find("write to desk@shop.com", PrivacyConfig(keep=("desk@shop.com",))) == []


def test_terms_of_ones_own_are_found_whole_and_a_pattern_that_never_ends_is_an_error() -> None:
    many = tuple(f"Name{number}" for number in range(5000))
    config = PrivacyConfig(terms=(OwnTerms(name="customers", words=("Ann Lee", *many), pattern=r"KD-\d{4}"),))
    text = "ANN LEE, KD-1234 and name4711 but not Annabel, Name47111"
    assert [text[one.start : one.end] for one in find(text, config)] == ["ANN LEE", "KD-1234", "name4711"]
    hostile = PrivacyConfig(terms=(OwnTerms(name="bomb", pattern=r"(?:a|aa|a?b?a)+$"),), term_ms=20)
    started = time.process_time()
    with pytest.raises(PrivacyError, match="pattern of bomb to end within 20 ms"):
        find("a" * 5000 + "!", hostile)
    assert time.process_time() - started < 2
    with pytest.raises(ValueError, match="regular expression in x"):
        OwnTerms(name="x", pattern="(")


def test_names_without_presidio_are_one_clear_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "presidio_analyzer", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    config = PrivacyConfig(kinds=tuple(Pii), names=NameConfig(model="not_there"))
    with pytest.raises(PrivacyError, match=r"presidio_analyzer.*pip install 'ratchet\[privacy\]'"):
        find("Ann was here", config)
    with pytest.raises(ValueError, match="expected `names` to say how"):
        PrivacyConfig(kinds=(Pii.NAME,))


def test_ages_are_days_or_none() -> None:
    rule = RetentionConfig(production="90d", test="none")
    assert rule.days() == {Source.PRODUCTION: 90}
    with pytest.raises(ValueError, match="an age in days such as 90d"):
        RetentionConfig(production="3 months")


def drawn(draw: random.Random) -> list[str]:
    """Return numbers of nobody's, one of each form."""
    digits = "".join(draw.choice(string.digits) for _ in range(20))
    return [
        f"uuid {UUID(int=draw.getrandbits(128))}", f"order {digits[:9]}", f"order_id: {digits[:16]}",
        f'"ts": 17{digits[:8]}', f'"ts": 17{digits[:11]}', f"{draw.random() * 90:.7f},{draw.random() * 180:.7f}",
        f"{draw.getrandbits(256):064x}", f"{draw.getrandbits(128):032x}", f"{draw.random():.17f}",
        f"INV-2025-{digits[:6]}", f"{digits[:3]}-{digits[3:10]}-{digits[10:17]}", f"{draw.random() * 1e9:.2f}",
    ]  # fmt: skip


def test_of_drawn_numbers_of_nobodys_none_is_taken() -> None:
    draw = random.Random(11)
    taken = [text for _ in range(300) for text in drawn(draw) if find(text)]
    assert taken == []


MEGABYTE = 1_000_000
HOSTILE = [
    "a@",
    "a@a.",
    "@",
    "a.b@",
    "1",
    "1 ",
    "12-",
    "1234 ",
    "1.",
    "0 ",
    "(0",
    "(",
    "+1-",
    "+",
    "AB12",
    "DE89 ",
    "://",
    "http://u:",
    "::",
    "fff:",
    "eyJa.",
    "sk-",
    "password=",
    "token: ",
    "bearer ",
    "a",
    "-----BEGIN PRIVATE KEY-----",
    "ann@corp.com ",
    "4111 1111 1111 1111 ",
    "phone 12 34 56 78 ",
    '{"a":[',
    "A1",
    "x1.2.3.4",
    "Ä",
    "9999999999999999999999",
    "%40",
    "&#64;",
    "\\u0040",
    '\\"',
    "a\u200b",
    "\uff11",
    "QUJD",
    "pk_",
    "1\n",
    "4 1 ",
    "curl -u a:",
    "cookie: a=",
    "authorization: ",
    "[at]",
]


@pytest.mark.parametrize("piece", HOSTILE)
def test_a_megabyte_made_to_hurt_takes_about_as_long_as_any_other(piece: str) -> None:
    text = piece * (MEGABYTE // 5 // len(piece))
    best = 9.0
    for _ in range(2):
        started = time.process_time()
        find(text)
        best = min(best, time.process_time() - started)
    assert best < 0.5, f"{best:.2f} s for a fifth of a megabyte of {piece!r}"
