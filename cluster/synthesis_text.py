"""What a synthesis came to, as a person reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.table import Table

from training.synthesis.yields import Line, Outcome, YieldTable

if TYPE_CHECKING:
    from rich.console import Console

    from training.synthesis.estimate import Estimate
    from training.synthesis.folder import End, Plan

_REASONS = 4
_TOOLS = 12


def print_synthesis(out: Console, plan: Plan, end: End | None, currency: str) -> None:
    """Print the yield table of a synthesis, and how it ended."""

    def tell(text: str) -> None:
        out.print(text, highlight=False, soft_wrap=True, markup=False)

    tell(f"Synthesis {plan.id}: {plan.config.count} examples by {plan.teacher_name}, {len(plan.tools)} tools")
    for what, number in plan.notes.items():
        if number:
            tell(f"Note: {number} {what} were left out")
    if end is None:
        tell("It was killed, or is under way; its answers are kept.")
        return
    table = YieldTable.model_validate(end.yields)
    columns = {"all": table.total}
    if len(table.by_variant) > 1:
        columns |= table.by_variant
    out.print(_table(columns, currency))
    if len(table.by_temperature) > 1:
        out.print(_by_temperature(table, currency))
    kinds = ", ".join(
        f"{kind} {found.get(Outcome.KEPT, 0)}/{sum(found.values())}" for kind, found in table.by_kind.items()
    )
    tell(f"Kept by kind: {kinds or 'none'}")
    by_tool = sorted(table.by_tool.items(), key=lambda one: -one[1])
    more = f" and {len(by_tool) - _TOOLS} more tools" if len(by_tool) > _TOOLS else ""
    tell(f"Kept by tool: {', '.join(f'{name} {n}' for name, n in by_tool[:_TOOLS]) or 'none'}{more}")
    never = [tool.name for tool in plan.tools if tool.name not in table.by_tool]
    if never:
        more = f" and {len(never) - _TOOLS} more" if len(never) > _TOOLS else ""
        tell(f"In no example: {', '.join(never[:_TOOLS])}{more}")
    if plan.config.coverage.turns != (1, 1):
        tell("Kept by requests of the user: " + (", ".join(f"{n} of {k}" for k, n in table.by_turns.items()) or "none"))
    if plan.judge is not None:
        share = f"{table.total.judgements} answers, {table.total.judge_cost:.4g} of {table.total.cost:.4g} {currency}"
        tell(f"Judged by {plan.judge}: {share}")
    if table.total.repairs:
        tell("Repairs: " + ", ".join(f"{number} {name}" for name, number in table.total.repairs.items()))
    if table.failed_requests:
        tell("Requests without an answer: " + ", ".join(f"{n} {kind}" for kind, n in table.failed_requests.items()))
    for reason, number in list(table.reasons.items())[:_REASONS]:
        tell(f"Dropped: {number} × {reason}")
    if table.diversity is not None:
        tell(f"New word pairs in the last {plan.config.stop.window} items: {table.diversity:.0%}")
    tell(f"{end.state.capitalize()}: {end.reason} ({end.seconds:.0f} s)")


def print_estimate(out: Console, plan: Plan, found: Estimate) -> None:
    """Print what would be asked, and the first request whole."""

    def tell(text: str) -> None:
        out.print(text, highlight=False, soft_wrap=True, markup=False)

    for message in found.first.messages:
        tell(f"── {message.role} ──")
        tell(message.content)
    tell("──")
    variants = ", ".join(one.ref for one in plan.variants)
    tell(
        f"Would ask {plan.teacher_name} for {found.examples} examples in {found.requests} requests; prompts: {variants}"
    )
    tell(f"Tokens, about: {found.tokens_in} in, {found.tokens_out} out")
    if found.judgements:
        tell(
            f"The judge {plan.judge}: {found.judgements} requests, about {found.judge_cost:.4g} {found.currency} of it"
        )
    tell(f"Cost, about: {found.cost:.4g} {found.currency}, at most {found.most_cost:.4g}, if all is kept")
    tell("Items of each kind: " + ", ".join(f"{kind} {number}" for kind, number in found.kinds.items()))
    tell("Nothing was sent.")


def synthesis_json(plan: Plan, end: End | None) -> dict[str, Any]:
    """Return a synthesis as JSON."""
    return {
        "id": plan.id,
        "teacher": plan.teacher_name,
        "judge": plan.judge,
        "config": plan.config.model_dump(mode="json"),
        "seed": plan.seed,
        "tools": [tool.name for tool in plan.tools],
        "tools_from": plan.tools_from,
        "seeds": len(plan.seeds),
        "notes": plan.notes,
        "prompts": [one.ref for one in plan.variants],
        "started_at": plan.started_at,
        "end": None if end is None else end.model_dump(mode="json"),
    }


def _table(columns: dict[str, Line], currency: str) -> Table:
    table = Table("", *columns, box=None, pad_edge=False, header_style="bold")
    for column in table.columns[1:]:
        column.justify = "right"
    rows = {
        "requested": lambda line: line.requested,
        "returned": lambda line: line.returned,
        "repaired": lambda line: line.repaired,
        "retries": lambda line: line.retries,
        "mended by a retry": lambda line: line.mended,
        **{one.value: _counted(one) for one in Outcome if one not in (Outcome.KEPT, Outcome.MISSING)},
        "kept": lambda line: line.kept,
        "yield": lambda line: f"{line.kept / line.requested:.0%}" if line.requested else "–",
        "new word pairs": lambda line: "–" if line.novelty is None else f"{line.novelty:.0%}",
        "tokens per kept": lambda line: _figure(line.per_kept()[0], 0),
        f"{currency} per kept": lambda line: _figure(line.per_kept()[1], 6),
    }
    for name, value in rows.items():
        table.add_row(name, *(str(value(line)) for line in columns.values()))
    return table


def _by_temperature(table: YieldTable, currency: str) -> Table:
    shown = Table(
        "temperature", "requested", "kept", "yield", "new pairs", f"{currency} per kept", box=None, pad_edge=False
    )
    for column in shown.columns[1:]:
        column.justify = "right"
    for name, line in table.by_temperature.items():
        kept = f"{line.kept / line.requested:.0%}" if line.requested else "–"
        novelty = "–" if line.novelty is None else f"{line.novelty:.0%}"
        shown.add_row(name, str(line.requested), str(line.kept), kept, novelty, _figure(line.per_kept()[1], 6))
    return shown


def _counted(outcome: Outcome) -> Any:
    return lambda line: line.outcomes.get(outcome, 0)


def _figure(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:.{digits}f}"
