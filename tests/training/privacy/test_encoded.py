"""A value is found in whatever way it is written, replaced in the same way, and stays one value within an example."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation.records import Message, ToolCall, ToolSpec
from tests.training.privacy.test_strict import row
from training.privacy.encoded import escaped_like, plain, seen, unescaped
from training.privacy.find import find
from training.privacy.kinds import Pii
from training.privacy.scrub import scrub
from training.privacy.strict import check


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


WRITTEN = [
    ("see ?email=ann.lee%40corp.org&id=3", Pii.MAIL, "ann.lee%40corp.org"),
    ("see ?email=ann.lee@corp.org&id=3", Pii.MAIL, "ann.lee@corp.org"),
    ("twice%20ann%2540corp.org", Pii.MAIL, "ann%2540corp.org"),
    ("write ann&#64;corp.org", Pii.MAIL, "ann&#64;corp.org"),
    ("write ann&commat;corp&period;org", Pii.MAIL, "ann&commat;corp&period;org"),
    ('{\\"mail\\": \\"ann\\u0040corp.org\\"}', Pii.MAIL, "ann\\u0040corp.org"),
    ("a\\nann@corp.org\\n", Pii.MAIL, "ann@corp.org"),
    ("an ann\\_lee@corp.org", Pii.MAIL, "ann\\_lee@corp.org"),
    ("ann＠ｃｏｒｐ．ｏｒｇ", Pii.MAIL, "ann＠ｃｏｒｐ．ｏｒｇ"),
    ("an\u200bn@co\u00adrp.org", Pii.MAIL, "an\u200bn@co\u00adrp.org"),
    ("ann [at] corp [dot] org", Pii.MAIL, "ann [at] corp [dot] org"),
    ("_ann@corp.org_ **", Pii.MAIL, "ann@corp.org"),
    ("in ann@corp.org.json", Pii.MAIL, "ann@corp.org"),
    ("tel=%2B49+171+2345678", Pii.PHONE, "%2B49+171+2345678"),
    ("phone 4155550134.0", Pii.PHONE, "4155550134"),
    ("+۴۹ ۱۷۱ ۲۳۴۵۶۷۸", Pii.PHONE, "+۴۹ ۱۷۱ ۲۳۴۵۶۷۸"),
    *((f"pay {mark.join(('4111', '1111', '1111', '1111'))}, now", Pii.CARD, mark.join(("4111", "1111", "1111", "1111")))
      for mark in "._/-+ "),
    ("4111 1111\n1111 1111", Pii.CARD, "4111 1111\n1111 1111"),
    (" ".join("4111111111111111"), Pii.CARD, " ".join("4111111111111111")),
    ("_4111111111111111_", Pii.CARD, "4111111111111111"),
    ("4111111111111111.0", Pii.CARD, "4111111111111111"),
    ("DE89.3704.0044.0532.0130.00", Pii.IBAN, "DE89.3704.0044.0532.0130.00"),
    ("de89-3704-0044-0532-0130-00", Pii.IBAN, "de89-3704-0044-0532-0130-00"),
    ("DE89 3704\n0044 0532 0130 00", Pii.IBAN, "DE89 3704\n0044 0532 0130 00"),
    ("[2606:2800:220:1:248:1893:25c8:1946]:443", Pii.IP, "2606:2800:220:1:248:1893:25c8:1946"),
    ("2606:2800:220:1::/64", Pii.IP, "2606:2800:220:1::"),
    ("::ffff:93.184.216.34", Pii.IP, "::ffff:93.184.216.34"),
    ("93.184.216.34:8080/x", Pii.IP, "93.184.216.34"),
    ("1,078-05-1120,3", Pii.NATIONAL_ID, "078-05-1120"),
    ("codice rssmra85t10a562s", Pii.NATIONAL_ID, "rssmra85t10a562s"),
    (f"Authorization: Basic {b64('ann:hunter2')}", Pii.SECRET, b64("ann:hunter2")),
    ("Authorization: Bearer abcdefghijklmnopQRST", Pii.SECRET, "abcdefghijklmnopQRST"),
    ("Set-Cookie: sid=9f8a7b6c5d4e3f2a1b0c9f8a; Path=/", Pii.SECRET, "9f8a7b6c5d4e3f2a1b0c9f8a"),
    ("curl -u ann:hunter2 https://x.io", Pii.URL_CREDENTIALS, "ann:hunter2"),
    ("mysql -uroot -phunter22 db", Pii.SECRET, "hunter22"),
    ("app --password hunter22", Pii.SECRET, "hunter22"),
    ("PGPASSWORD=hunter22 psql", Pii.SECRET, "hunter22"),
    ("<password>hunter22</password>", Pii.SECRET, "hunter22"),
    ("?access_token=abc123def456ghi7&x=1", Pii.SECRET, "abc123def456ghi7"),
    ("AccountKey=abcDEF123456ghiJKL==;EndpointSuffix=core", Pii.SECRET, "abcDEF123456ghiJKL=="),
    ("iban=GB94-RRLA-4324-2922-4767-9 took", Pii.IBAN, "GB94-RRLA-4324-2922-4767-9"),
    ("postgres://ann:p@ss@db/x", Pii.URL_CREDENTIALS, "ann:p@ss"),
    ("body " + b64('{"mail": "ann.lee@corp.org"}'), Pii.SECRET, b64('{"mail": "ann.lee@corp.org"}')),
]  # fmt: skip


@pytest.mark.parametrize(("text", "kind", "value"), WRITTEN)
def test_it_is_found_as_it_is_written_replaced_and_clean_afterwards(text: str, kind: Pii, value: str) -> None:
    [found] = find(text)
    assert (found.kind, text[found.start : found.end]) == (kind, value)
    said = scrub([Message(role="user", content=text)], (), "r1").messages
    before, _, after = text.partition(value)
    assert value not in said[0].content
    assert said[0].content.startswith(before)
    assert said[0].content.endswith(after)
    assert scrub(said, (), "r1").messages == said
    assert list(check([row(said)])) == []


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="a@.%4026&#;\\u0nx\u200b\uff20 [at]"))
def test_reading_places_every_character_and_never_fails(text: str) -> None:
    first = seen(text)
    for view in (first, *([unescaped(first.text)] if unescaped(first.text) else [])):
        assert view is not None
        for place in range(len(view.text)):
            start, end = view.span(place, place + 1)
            assert start < end
    assert isinstance(plain(text), str)
    assert isinstance(escaped_like("a@b.c", text), str)


def test_one_value_in_many_forms_stays_one_value() -> None:
    forms = "ann@corp.org, Ann%40corp.org, ANN＠corp.org, ann&#64;corp.org, 4111111111111111, 4111.1111.1111.1111"
    [said] = scrub([Message(role="user", content=forms)], (), "k").messages
    mails = said.content.split(", ")
    assert {plain(mail).lower() for mail in mails[:4]} == {mails[0]}
    assert mails[1] == mails[0].replace("@", "%40")
    assert mails[3] == mails[0].replace("@", "&#64;")
    assert mails[5].replace(".", "") == mails[4]


PEM = "-----BEGIN PRIVATE KEY-----\nMIIEpAIBAAKCAQEA\nnnnnn123nbt\n-----END PRIVATE KEY-----\n"


def test_json_within_json_stays_json_and_keys_of_maps_are_data() -> None:
    tools = (ToolSpec(name="t", description="", parameters={"properties": {"desk@shop.com": {"type": "integer"}}}),)
    inner = json.dumps({"to": "ann@corp.org", "key": PEM, "path": "C:\\new\\ann@corp.org"}).replace("@", "\\u0040")
    arguments = {
        "m": {"ann@corp.org": 3, "Ann@corp.org": 4, "plain": 5}, "desk@shop.com": 1, "body": inner,
        "card": 4111111111111111, "float": 4111111111111111.0, "ratio": 0.5,
    }  # fmt: skip
    call = ToolCall(id="1", name="t", arguments=arguments)
    result = '{"ann@corp.org": 4111111111111111.0, "x": {"4111 1111 1111 1111": [1.5e3]}}'
    messages = [Message(role="assistant", tool_calls=(call,)), Message(role="tool", name="t", content=result)]
    made, returned = scrub(messages, tools, "k").messages
    told = made.tool_calls[0].arguments
    [mail, other, word] = told["m"]
    assert (told["m"], word, other) == ({mail: 3, other: 4, "plain": 5}, "plain", f"{mail}_")
    assert told["desk@shop.com"] == 1
    assert (type(told["card"]), type(told["float"]), told["ratio"]) == (int, float, 0.5)
    assert told["card"] == told["float"] != 4111111111111111
    held = json.loads(told["body"])
    assert held["to"] == mail
    assert held["path"].startswith("C:\\new\\")
    assert held["key"].splitlines()[0] == PEM.splitlines()[0]
    assert [len(line) for line in held["key"].splitlines()] == [len(line) for line in PEM.splitlines()]
    answer = json.loads(returned.content)
    assert answer[mail] == told["float"]
    assert str(next(iter(answer["x"]))).replace(" ", "") == str(told["card"])
    text = json.dumps([message.to_openai() for message in (made, returned)])
    for value in ("ann", "corp.org", "1111111"):
        assert value not in text


def test_a_longer_address_is_not_public_because_a_shorter_one_is() -> None:
    tools = (ToolSpec(name="t", description="Ask desk@shop.com.", parameters={"enum": ["n@corp.org"]}),)
    [said] = scrub([Message(role="user", content="ann@corp.org, n@corp.org, desk@shop.com")], tools, "k").messages
    assert "ann@corp.org" not in said.content
    assert said.content.endswith(", n@corp.org, desk@shop.com")


def test_what_a_tools_description_holds_is_told_once() -> None:
    tool = ToolSpec(name="t", description="Ask ann@corp.org.", parameters={"enum": ["n@corp.org"]})
    told = row([Message(role="user", content="ann@corp.org")], tools=json.dumps([tool.to_openai()]))
    assert [(left.field, left.kind) for left in check([told])] == [("tools[0].function.description", Pii.MAIL)]
