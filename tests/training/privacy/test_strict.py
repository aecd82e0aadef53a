"""Rows are looked at once more: what scrubbing made is no finding, what it left is one, and no value is ever said."""

from __future__ import annotations

import json

import pytest

from evaluation.records import Message, ToolCall
from tests.training.privacy.making import example
from training.privacy.config import OwnTerms, PrivacyConfig
from training.privacy.errors import PrivacyError
from training.privacy.kinds import Pii
from training.privacy.report import report_on
from training.privacy.scrub import scrub
from training.privacy.strict import check, require_clean
from training.snapshot import SnapshotRow

SAID = (
    "I am ann.lee@corp.com on +49 171 2345678 or (415) 555-9134, card 4111 1111 1111 1111, SSN 078-05-1120, "
    "IBAN DE89 3704 0044 0532 0130 00, host 8.8.8.8, key ghp_" + "a1B2" * 9 + ", postgres://bob:hunter2@db/x"
)


def conversation() -> list[Message]:
    call = ToolCall(id="ann.lee@corp.com", name="send", arguments={"to": "ann.lee@corp.com", "ssn": 123456789})
    return [
        Message(role="user", content=SAID),
        Message(role="assistant", tool_calls=(call,)),
        Message(role="tool", name="send", tool_call_id="ann.lee@corp.com", content='{"phone": 4155559134}'),
        Message(role="assistant", content="Sent."),
    ]


def row(messages: list[Message] | tuple[Message, ...], row_id: str = "r1", **changes: object) -> SnapshotRow:
    said = json.dumps([message.to_openai() for message in messages])
    return SnapshotRow.model_validate(
        {"id": row_id, "task_key": "tools", "messages": said, "tools": "[]", "source": "test", **changes}
    )


def test_scrubbed_rows_are_clean_and_unscrubbed_ones_are_refused_without_saying_a_value() -> None:
    clean = scrub(conversation(), (), "r1").messages
    require_clean([row(clean)])
    with pytest.raises(PrivacyError) as refused:
        require_clean([row(clean), row(conversation(), "r2")])
    message = str(refused.value)
    assert "row r2, messages[0].content: mail" in message
    assert "r1" not in message
    for value in ("ann.lee", "2345678", "4111", "078-05", "hunter2", "DE89"):
        assert value not in message
    kinds = {left.kind for left in check([row(conversation())])}
    assert kinds == {Pii.MAIL, Pii.PHONE, Pii.CARD, Pii.NATIONAL_ID, Pii.IBAN, Pii.IP, Pii.SECRET, Pii.URL_CREDENTIALS}


def test_replacements_of_another_row_are_findings_but_those_of_its_parent_are_not() -> None:
    clean = scrub(conversation(), (), "parent").messages
    assert {left.kind for left in check([row(clean, "child")])} >= {Pii.CARD, Pii.PHONE}
    require_clean([row(clean, "child", parent_id="parent")])


def test_fields_are_named_to_the_key_and_labels_count() -> None:
    left = [(one.field, one.kind) for one in check([row(conversation())])]
    assert ("messages[1].arguments.to", Pii.MAIL) in left
    assert ("messages[1].arguments.ssn", Pii.NATIONAL_ID) in left
    assert ("messages[2].content.phone", Pii.PHONE) in left


def test_what_is_nobodys_is_no_finding() -> None:
    said = [Message(role="user", content="mail desk@shop.com, help@example.com, KD-1, from 192.0.2.7 or 555-555-0134")]
    config = PrivacyConfig(keep=("desk@shop.com",), terms=(OwnTerms(name="no", pattern="KD-1", replacement="KD-1"),))
    assert list(check([row(said)], config)) == []
    with pytest.raises(PrivacyError):
        require_clean([row(said)])  # the same without the config that allows it
    public = json.dumps([{"function": {"name": "f", "parameters": {"enum": ["a@firm.com"]}}}])
    assert list(check([row([Message(role="user", content="a@firm.com")], tools=public)])) == []
    assert list(check([row([Message(role="user", content="a@firm.com")])])) != []


def test_the_report_counts_by_kind_field_and_task_key_without_values() -> None:
    one = example().model_copy(update={"messages": tuple(conversation()), "query": SAID, "response": "Sent."})
    report = report_on([one, example()])
    assert (report.examples, report.with_findings) == (2, 1)
    assert report.kinds["mail"] == 2
    assert report.fields["send.arguments.ssn"] == {"national_id": 1}
    assert report.task_keys[one.task_key] == report.kinds
    assert "corp.com" not in report.model_dump_json()
