"""What hangs together is found whatever texts say: a NUL, half of a surrogate pair, what looks like another key."""

from __future__ import annotations

from evaluation.ledger import Ledger
from evaluation.records import Message, ToolCall
from tests.evaluation.ledger.making import example


def test_what_was_made_from_an_example_is_found_however_far_down(ledger: Ledger) -> None:
    first, second, decoy, other = (example(n) for n in (1, 2, 3, 4))
    named = first.model_copy(update={"id": 'a "quoted" \\ id\u00e9'})
    child = second.model_copy(
        update={
            "query": "\x00 and half a pair \ud83d",
            "provenance": second.provenance.model_copy(update={"parent_id": named.id}),
        }
    )
    grandchild = other.model_copy(
        update={"provenance": other.provenance.model_copy(update={"parent_id": child.id})},
    )
    call = ToolCall(id="c", name="look", arguments={"parent_id": child.id, "provenance": {"parent_id": named.id}})
    looks_so = decoy.model_copy(
        update={
            "query": f'"parent_id": "{child.id}"',
            "messages": (Message(role="user", content="?"), Message(role="assistant", tool_calls=(call,))),
        }
    )
    ledger.add_examples([named, child, grandchild, looks_so])
    assert ledger.ids_made_from({named.id}) == {child.id, grandchild.id}
    assert ledger.ids_made_from({child.id}) == {grandchild.id}
    assert ledger.ids_made_from({grandchild.id, looks_so.id, "nobody's"}) == set()
    assert ledger.ids_made_from(set()) == set()
