"""`ratchet test flaky` and `ratchet test looks`: what the regression set and the held-out scenarios are still worth."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from cluster.commands.common import (
    BAD_INPUT,
    INTERRUPTED,
    ConfigFlag,
    HomeFlag,
    JsonFlag,
    Opened,
    console,
    opened,
    print_json,
    said,
)
from cluster.commands.models import MODEL_HELP, BaseUrlFlag
from cluster.commands.tools import AllowHostFlag, AllowToolsFlag, reach_of

if TYPE_CHECKING:
    from cluster.repeated import Finding, Sampled
    from cluster.runs import Run
    from evaluation.held_out import HeldOutBudget
    from evaluation.ledger import LookRecord, PinRecord

COMMAND = "ratchet test flaky"


def flaky(
    model: Annotated[str | None, typer.Option(help=f"{MODEL_HELP} [the champion, else the base]")] = None,
    attempts: Annotated[int, typer.Option(min=1, help="Attempts at each scenario.")] = 5,
    temperature: Annotated[float | None, typer.Option(min=0, help="Of the model. [run.temperature]")] = None,
    release: Annotated[bool, typer.Option("--release", help="Let steady ones decide again.")] = False,
    by: Annotated[str, typer.Option("--by", help="Your name, for the trail.")] = COMMAND,
    user_model: Annotated[str | None, typer.Option(help="Model that plays users, where scenarios have such.")] = None,
    base_url: BaseUrlFlag = None,
    allow_tools: AllowToolsFlag = None,
    allow_host: AllowHostFlag = None,
    home: HomeFlag = None,
    config: ConfigFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Attempt every pinned scenario several times with one model; those that come out either way are quarantined.

    A quarantined scenario is attempted and reported, and decides nothing, until --release finds it steady.

    Example: ratchet test flaky --attempts 14 --release --by Ann
    """
    with said():
        from cluster.repeated import Sampled, settle

        with opened({"home": home}, config) as at:
            pins = at.ledger.pins()
            if not pins:
                _nothing(as_json)
                return
            run_settings = at.settings.run
            warmth = run_settings.temperature if temperature is None else temperature
            how = Sampled(attempts, at.settings.seed, warmth, run_settings.max_tokens)
            reach = reach_of(allow_tools, allow_host, [pin.scenario for pin in pins])
            asked = model or at.ledger.champion(at.settings.model) or at.settings.base
            by_whom = (asked, user_model)
            run, found = _measured(at, pins, by_whom, how, base_url=base_url, reach=reach, as_json=as_json)
            where = f"Model {run.plan.model_name}, temperature {warmth:g}, run {run.plan.id}."
            found = settle(at.ledger, found, by=by, where=where, release=release, at=datetime.now(UTC))
    if as_json:
        print_json(_json(run, found))
    else:
        _print(run, found)
    if all(one.flaky.attempts == 0 for one in found):
        typer.echo(f"ratchet: expected answers of {run.plan.model_name}, found none that could be judged", err=True)
        raise typer.Exit(BAD_INPUT)


def _measured(
    at: Opened,
    pins: tuple[PinRecord, ...],
    by_whom: tuple[str, str | None],
    how: Sampled,
    *,
    base_url: str | None,
    reach: Any,
    as_json: bool,
) -> tuple[Run, list[Finding]]:
    """Carry the run out and return what it found; `by_whom`: the model, and the one that plays users.

    Exits with 130 at Ctrl-C; nothing has changed then.
    """
    from cluster.commands import models
    from cluster.live_run import shown
    from cluster.repeated import findings, repeated_run
    from cluster.running import Work, carry_out, start
    from evaluation.clients.resolve import ClientOptions

    asked, user = models.absolute(by_whom[0]), None if by_whom[1] is None else models.absolute(by_whom[1])
    client = ClientOptions(base_url=base_url)
    source = models.model_spec(at, asked, client)
    of_user = ClientOptions(base_url=base_url if (user or "").startswith("openai:") else None)
    users = None if user is None else models.model_spec(at, user, of_user)
    plan = repeated_run(at.home.runs, pins, asked, source, client=client, how=how, at=datetime.now(UTC))
    plan = plan.model_copy(update={"user_model": user})
    work = Work(tuple(pin.scenario for pin in pins), source, users, concurrency=at.settings.run.concurrency)
    run = start(at.home.runs, at.ledger, plan)
    try:
        with shown(console(as_json), plan.total, source.prices.currency) as tell:
            carry_out(run, replace(work, reach=reach), at.ledger, tell, keep=False)
    except KeyboardInterrupt:
        console(as_json).print("Stopped: no status was changed.", highlight=False)
        raise typer.Exit(INTERRUPTED) from None
    return run, findings(pins, run)


def _nothing(as_json: bool) -> None:
    if as_json:
        print_json({"run": None, "scenarios": []})
    else:
        console().print("Nothing is pinned: ratchet test pin", highlight=False)


def _json(run: Run, found: list[Finding]) -> dict[str, Any]:
    rows = [
        {"scenario": one.pin.id, "before": one.before, "status": one.pin.status, "unanswered": one.unanswered,
         **one.flaky.model_dump(mode="json")}
        for one in found
    ]  # fmt: skip
    return {"run": run.plan.id, "model": run.plan.model_name, "attempts": run.plan.attempts,
            "temperature": run.plan.temperature, "scenarios": rows}  # fmt: skip


def _print(run: Run, found: list[Finding]) -> None:
    from evaluation.regression import EXAMPLE_RATE, attempts_to_tell, looks_steady

    out, plan = console(), run.plan
    # No table: an id is copied from here, and may not be cut.
    out.print(Text(f"{'passed':<8} {'shows':<12} {'status':<21} scenario", "bold"), soft_wrap=True)
    for one in found:
        now, shows = one.pin.status, one.flaky.steadiness.value.replace("_", " ")
        changed = now.value if one.before is now else f"{one.before.value} → {now.value}"
        passed = f"{one.flaky.passes}/{one.flaky.attempts}"
        unknown = f" ({one.unanswered} unknown)" if one.unanswered else ""
        style = "" if one.before is now else "yellow"
        row = Text.assemble(f"{passed:<8} {shows:<12} ", (f"{changed:<21}", style), f" {one.pin.id}{unknown}")
        out.print(row, soft_wrap=True)
    counts = Counter(one.flaky.steadiness.value.replace("_", " ") for one in found)
    said = ", ".join(f"{number} {kind}" for kind, number in counts.most_common())
    lines = [
        f"{plan.model_name}, {plan.attempts} attempts each at temperature {plan.temperature:g}: {said}."
        f" Episodes: ratchet test show {plan.id}",
        f"A scenario that passes {EXAMPLE_RATE:.0%} of the time would look steady in"
        f" {looks_steady(plan.attempts):.0%} of cases; --attempts {attempts_to_tell()} makes that 5%.",
    ]
    if plan.temperature == 0:
        lines.append("At temperature 0 only what is random in tools and endpoint shows; --temperature tries more.")
    if any(one.flaky.steadiness == "steady_fail" for one in found):
        lines.append("What fails every time is no flake: the gate rejects a candidate that fails it, too.")
    waiting = sum(one.pin.status == "quarantined" and one.flaky.steadiness.startswith("steady") for one in found)
    if waiting:
        lines.append(f"{waiting} quarantined and steady now: --release lets them decide again.")
    for line in lines:
        out.print(line, highlight=False, soft_wrap=True)


def looks(
    home: HomeFlag = None,
    config: ConfigFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """List how often held-out scenarios were looked at to choose among models, and what they are worth by now.

    Example: ratchet test looks
    """
    with said():
        from cluster.looks import has_templates
        from evaluation.held_out import budget

        with opened({"home": home}, config) as at:
            by_digest: dict[str, list[LookRecord]] = defaultdict(list)
            for look in at.ledger.looks():
                by_digest[look.digest].append(look)
            drawn = has_templates(at.settings.suite)
            alpha = at.settings.gate.alpha
            rows = [
                (digest, each, budget(len(each), each[-1].scenarios, alpha, drawn=drawn))
                for digest, each in by_digest.items()
            ]
    if as_json:
        print_json([_look_json(*row) for row in rows])
    elif rows:
        _print_looks(rows)
    else:
        console().print("No held-out scenarios were looked at in this home yet.", highlight=False)


def _look_json(digest: str, each: list[LookRecord], spent: HeldOutBudget) -> dict[str, Any]:
    made = [one.model_dump(mode="json", exclude={"digest", "id"}) for one in each]
    return {"digest": digest, **spent.model_dump(mode="json"), "made": made}


def _print_looks(rows: list[tuple[str, list[LookRecord], HeldOutBudget]]) -> None:
    from cluster.looks import warning

    out = console()
    columns = ("held-out scenarios", "number", "looks", "by", "last at", "level")
    table = Table(*columns, box=None, padding=(0, 2, 0, 0))
    for digest, each, spent in rows:
        kinds = ", ".join(f"{count} {kind}" for kind, count in Counter(one.kind for one in each).most_common())
        table.add_row(
            digest[:10], str(spent.scenarios), str(spent.looks), kinds, f"{each[-1].at:%Y-%m-%d}", spent.level.value
        )
    out.print(table)
    for digest, _, spent in rows:
        if told := warning(spent):
            out.print(f"{digest[:10]}: {told}", highlight=False, soft_wrap=True)
