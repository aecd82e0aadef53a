"""`ratchet data show`: one example as a person reads it, or what is pinned of a snapshot."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from cluster.commands.common import ConfigFlag, HomeFlag, JsonFlag, console, opened, print_json, said

if TYPE_CHECKING:
    from evaluation.ledger import Ledger


def show(
    ref: Annotated[str, typer.Argument(help="Id of an example, or its beginning; or a snapshot, `name@version`.")],
    home: HomeFlag = None,
    config: ConfigFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Show one example: the conversation, labels and who gave them, feedback, reward, recoveries; or a snapshot.

    Example: ratchet data show 3f2a
    """
    with said(), opened({"home": home}, config) as at:
        if "@" in ref:
            from training.snapshot import open_snapshot
            from training.snapshot_names import named_snapshot

            found: dict[str, Any] = open_snapshot(named_snapshot(at.home.snapshots, ref)).model_dump(mode="json")
        else:
            found = _example(at.ledger, ref, as_json=as_json)
    if as_json:
        print_json(found)
    elif "@" in ref:
        console().print_json(data=found)


def _example(ledger: Ledger, ref: str, *, as_json: bool) -> dict[str, Any]:
    """Print the example, or return it with what is known of it."""
    from cluster.example_text import About, print_example

    example = ledger.example(one_id(ledger, ref))
    about = About.of(ledger, example.id)
    if not as_json:
        print_example(console(), example, about)
    # Not `labels`: those in force stand under this name in the example itself.
    known = {
        _NAMES.get(name, name): [one.model_dump(mode="json") for one in some] for name, some in about._asdict().items()
    }
    return example.model_dump(mode="json") | known


_NAMES = {"labels": "labels_said"}


def one_id(ledger: Ledger, beginning: str) -> str:
    """Return the id that begins so. Raises `LedgerError` where several do."""
    from evaluation.ledger import LedgerError

    found = ledger.ids_beginning(beginning)
    if beginning in found or not found:
        return beginning  # where there is none, the ledger says so
    if len(found) > 1:
        raise LedgerError(f"expected the beginning of one id, found several that begin so: {', '.join(found)}")
    return found[0]
