"""`ratchet data review`: an interactive queue of examples, in the terminal."""

from __future__ import annotations

import getpass
from typing import TYPE_CHECKING, Annotated

import typer

from cluster.commands.common import ConfigFlag, HomeFlag, console, opened, said

if TYPE_CHECKING:
    from cluster.review_desk import Asked, Session
    from evaluation.ledger import Ledger

QUEUE = "default"
"""The queue where none is named."""
QueueFlag = Annotated[str, typer.Option(help="Name of the queue; `recoveries` holds errors.")]


def review(
    queue: QueueFlag = QUEUE,
    by: Annotated[str | None, typer.Option(help="Name of the reviewer. [the user's]")] = None,
    task_key: Annotated[str | None, typer.Option(help="Only examples of this kind of decision.")] = None,
    home: HomeFlag = None,
    config: ConfigFlag = None,
) -> None:
    """Go through a queue of examples: accept, reject, correct, rate. What was answered is kept at once.

    Several reviewers may work at the same time; `data.review.needed` in the settings says how many have to agree.

    Example: ratchet data review --queue default --by ann
    """
    with said(), opened({"home": home}, config) as at:
        from cluster.review_desk import Asked, Desk
        from cluster.terminal_keys import TerminalKeys, edited

        at.ledger.queue_recoveries(at.settings.data.review.needed)
        asked = Asked(queue, by or getpass.getuser(), at.settings.data.review.lease_s, task_key)
        with TerminalKeys() as keys:

            def edit(text: str, suffix: str) -> str:
                with keys.plain():
                    return edited(text, suffix)

            desk = Desk(at.ledger, console(), asked, keys=keys, edit=edit)
            try:
                desk.run()
            finally:
                _say_end(at.ledger, asked, desk.session)


def _say_end(ledger: Ledger, asked: Asked, session: Session) -> None:
    from cluster.review_view import print_agreement
    from evaluation.agreement import reviewers_agreement

    out = console()
    waiting = ledger.waiting_reviews(asked.queue, asked.reviewer, asked.task_key)
    done = f"{len(session.answered)} answered, {len(session.skipped)} skipped"
    out.print(f"{done}; {waiting} waiting for {asked.reviewer} in {asked.queue}", highlight=False, markup=False)
    if session.emptied and (others := waiting - len(session.skipped)) > 0:
        out.print(f"{others} of them are before other reviewers now: come back for what they leave", highlight=False)
    if not session.answered and not waiting:
        out.print("ratchet data queue fills a queue", highlight=False, markup=False)
    for name in ledger.review_counts():
        if name != asked.queue and (left := ledger.waiting_reviews(name, asked.reviewer, asked.task_key)):
            told = f"{left} more in {name}: ratchet data review --queue {name}"
            out.print(told, highlight=False, markup=False, soft_wrap=True)
    found = reviewers_agreement(ledger.review_answers(asked.queue))
    if found:
        out.print("Agreement of the reviewers of this queue (Krippendorff's alpha)", highlight=False)
        print_agreement(out, found)
