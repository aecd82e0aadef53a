"""`ratchet data prepare`: a data set out of the ledger, with what became of every example."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.box import SIMPLE
from rich.table import Table

from cluster.commands.common import ConfigFlag, HomeFlag, JsonFlag, Opened, console, opened, print_json, said
from cluster.commands.data_filters import FilterFlags, filter_flags
from training.prepare.config import KindName, Stratum
from training.prepare.loss import Loss

if TYPE_CHECKING:
    from training.guard import HeldOut
    from training.prepare.candidates import StageConfig
    from training.prepare.pipeline import Asked, Prepared

ON_RAY = 20_000
"""Examples from which on Ray pays for its start."""
_KEYS = {
    "kind": "kinds",
    "loss": "kind.loss",
    "prompt": "kind.prompt",
    "native_calls": "kind.native_calls",
    "correct": "limits.correct",
    "scrub": "scrub",
    "outliers": "outliers.enabled",
    "balance": "balance.by",
    "cap": "balance.cap",
    "temperature": "balance.temperature",
    "rows": "balance.rows",
    "hold_out": "split.hold_out",
    "folds": "split.folds",
    "budget": "tokens.budget",
    "max_tokens": "tokens.max_row",
    "tokenizer": "tokens.tokenizer",
    "seed": "seed",
}
"""The setting below `data.prepare` that a flag changes."""
_DEDUP = ("exact", "near", "semantic")
"""Flags of `data.dedup`."""
_SHOWN = 4
"""Reasons of a step that the table has; `--json` has all."""
_WIDE = 80
"""Characters of a dropped row that are printed."""


@filter_flags
def prepare(
    *,
    flags: FilterFlags,
    kind: Annotated[
        list[KindName] | None, typer.Option(help="Kind of data set; may be given again. [default: chat]")
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="Name of the data set. [default: the kinds and the task key]")
    ] = None,
    loss: Annotated[Loss | None, typer.Option(help="Which assistant turns carry loss. [default: the kind's]")] = None,
    prompt: Annotated[str | None, typer.Option(help="System prompt: a name that ships, or a YAML file.")] = None,
    native_calls: Annotated[
        bool | None, typer.Option("--native-calls/--json-calls", help="Tool selection as calls, or as JSON text.")
    ] = None,
    protocol: Annotated[str | None, typer.Option(help="Of kind protocol: `name` or `name/encoding`.")] = None,
    correct: Annotated[
        bool | None, typer.Option("--correct/--no-correct", help="Use suggestions and reviews in place of wrong ones.")
    ] = None,
    scrub: Annotated[bool | None, typer.Option("--scrub/--no-scrub", help="Replace personal data.")] = None,
    strict: Annotated[
        bool | None, typer.Option("--strict/--no-strict", help="Refuse a data set that still holds personal data.")
    ] = None,
    exact: Annotated[bool | None, typer.Option("--exact/--no-exact", help="Drop exact duplicates.")] = None,
    near: Annotated[bool | None, typer.Option("--near/--no-near", help="Drop near duplicates.")] = None,
    semantic: Annotated[
        bool | None, typer.Option("--semantic/--no-semantic", help="Drop what means nearly the same.")
    ] = None,
    outliers: Annotated[bool | None, typer.Option("--outliers/--no-outliers", help="Drop outliers.")] = None,
    balance: Annotated[list[Stratum] | None, typer.Option(help="Balance by this; may be given again.")] = None,
    cap: Annotated[int | None, typer.Option(min=1, help="At most so many rows of each that is balanced.")] = None,
    temperature: Annotated[float | None, typer.Option(min=1, help="Shares n^(1/temperature).")] = None,
    rows: Annotated[int | None, typer.Option(min=1, help="Rows in all, shared by the temperature.")] = None,
    hold_out: Annotated[float | None, typer.Option(min=0, max=0.99, help="Share of groups held out.")] = None,
    folds: Annotated[int | None, typer.Option(min=2, help="Number of folds.")] = None,
    budget: Annotated[int | None, typer.Option(min=1, help="Tokens of all rows.")] = None,
    max_tokens: Annotated[int | None, typer.Option(min=1, help="Tokens of one row.")] = None,
    tokenizer: Annotated[str | None, typer.Option(help="Model that counts tokens. [default: characters by 4]")] = None,
    benchmark: Annotated[
        list[Path] | None, typer.Option(help="File or folder that must not be trained on; may be given again.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Draws split, balance and budget.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Do everything but commit.")] = False,
    ray: Annotated[
        bool | None, typer.Option("--ray/--no-ray", help="Work on Ray. [default: from 20,000 examples on]")
    ] = None,
    home: HomeFlag = None,
    config: ConfigFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Make a data set out of the ledger: filter, scrub, dedup, balance, split, decontaminate; commit it as a snapshot.

    Example: ratchet data prepare --kind tool-selection --task-key planner --min-confidence 0.9 --hold-out 0.1
    """
    values = _values(locals())
    with said(), opened({"home": home, "data.privacy.strict": strict, **values}, config) as at:
        found = _prepare(at, flags, name, ray=ray, dry_run=dry_run)
    if as_json:
        print_json(found.model_dump(mode="json"))
    else:
        _print(found)


def _values(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that the flags change, by dotted key."""
    flags, protocol = asked["flags"], (asked["protocol"] or "").partition("/")
    given = {key: asked[name] for name, key in _KEYS.items()} | {
        "limits.min_confidence": flags.min_confidence,
        "limits.min_quality": flags.min_quality,
        "limits.min_rating": flags.min_rating,
        "kind.protocol": protocol[0] or None,
        "kind.encoding": protocol[2] or None,
        "decontaminate.files": [str(path.expanduser().resolve()) for path in asked["benchmark"] or ()],
    }
    steps = {f"data.dedup.{name}.enabled": asked[name] for name in _DEDUP}
    return steps | {f"data.prepare.{key}": value for key, value in given.items() if value not in (None, [])}


def _prepare(at: Opened, flags: FilterFlags, name: str | None, *, ray: bool | None, dry_run: bool) -> Prepared:
    from training.prepare.candidates import StageConfig
    from training.prepare.pipeline import Asked
    from training.prepare.pipeline import prepare as run

    config = at.settings.data.prepare
    # What a kind decides, and says of each row, is not left to the query.
    wanted = flags.filter().model_copy(update={"min_confidence": None, "min_quality": None, "min_rating": None})
    called = name or "-".join([*config.kinds, *([flags.task_key] if flags.task_key else [])])
    asked = Asked(wanted, at.ledger.count(), at.ledger.count(wanted), called)
    stage = StageConfig(config, at.settings.data.dedup, at.settings.data.privacy, _held_out(at))
    folder = at.home.snapshots / _slug(called)
    on_ray = asked.matched >= ON_RAY if ray is None else ray
    made = _on_ray if on_ray else _here
    return made(at, stage, asked, lambda rows: run(rows, stage, asked, folder=folder, dry_run=dry_run))


def _here(at: Opened, stage: StageConfig, asked: Asked, run: Any) -> Prepared:
    from training.prepare.pipeline import candidates_here

    found: Prepared = run(candidates_here(at.ledger, asked.wanted, stage))
    return found


def _on_ray(at: Opened, stage: StageConfig, asked: Asked, run: Any) -> Prepared:
    from cluster.session import ray_session
    from training.prepare.on_ray import candidates_on_ray

    with ray_session(at.settings):
        url = at.home.ledger_url(at.settings.stores.ledger_url)
        found: Prepared = run(candidates_on_ray(url, asked.wanted, stage))
    return found


def _held_out(at: Opened) -> HeldOut:
    """Return what must not be trained on: the held-out part of the configured suite, as this home divides it."""
    from evaluation.folds import fold_of, folded
    from evaluation.scenarios import Part
    from evaluation.suite import load
    from training.guard import HeldOut

    settings = at.settings
    split = int(at.ledger.set_once(f"split_seed/{settings.suite}", str(settings.seed)))
    counts = {Part(part): n for part, n in settings.counts.model_dump().items()}
    suite = load(settings.suite, seed=settings.seed, split_seed=split, counts=counts)
    return HeldOut.of((suite if settings.run.fold is None else folded(suite, fold_of(settings.run.fold))).scenarios)


def _slug(name: str) -> str:
    return "".join(c if c.isalnum() or c in "-_." else "-" for c in name).strip(".") or "data"


def _print(found: Prepared) -> None:
    out = console()
    table = Table("step", "in", "out", "why", box=SIMPLE)
    for step in found.funnel.steps:
        why = sorted(step.reasons.items(), key=lambda pair: (-pair[1], pair[0]))
        told = [f"{count:,} {reason}" for reason, count in why[:_SHOWN]]
        more = [f"{len(why) - _SHOWN} other reasons"] if len(why) > _SHOWN else []
        table.add_row(step.name, f"{step.rows_in:,}", f"{step.rows_out:,}", "; ".join(told + more))
    out.print(table)
    for step in found.funnel.steps:
        for note in step.notes:
            out.print(f"  {step.name}: {note}", markup=False, highlight=False, soft_wrap=True)
    for step in found.funnel.steps:
        for reason in dict.fromkeys(dropped.reason for dropped in step.dropped):
            first = next(dropped for dropped in step.dropped if dropped.reason == reason)
            text = f"  {step.name}, {reason}: {first.id} {first.text[:_WIDE]!r}"
            out.print(text, markup=False, highlight=False, soft_wrap=True)
    scrubbed = ", ".join(f"{count} {kind}" for kind, count in found.funnel.scrubbed.items()) or "nothing"
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in found.kinds.items())
    took = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in found.seconds.items() if seconds >= 0.05)
    out.print(f"Replaced on the way: {scrubbed}", highlight=False)
    out.print(f"Rows: {kinds or 'none'}; {found.hold_out:,} held out; about {found.tokens:,} tokens", highlight=False)
    out.print(f"Cost of what is behind them: {found.cost:.4f}; time: {took or 'under 0.05 s'}", highlight=False)
    dry = f"a dry run, its content would be {found.content_hash[:16]}" if found.kinds else "no row is left; loosen what"
    ref = found.ref or f"none: {dry}{'' if found.kinds else ' dropped most'}"
    out.print(f"Snapshot: {ref}", highlight=False, markup=False, soft_wrap=True)
