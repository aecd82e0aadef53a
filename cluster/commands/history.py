"""`ratchet history`: figures of versions over time; and `explain`, which slices account for a difference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cluster.commands.common import ConfigFlag, HomeFlag, JsonFlag, Opened, console, opened, print_json, said
from evaluation.slices import By

if TYPE_CHECKING:
    from evaluation.history import Asked, History
    from evaluation.metrics import Metric

USUAL = ("task_success", "quality", "user_rating", "tokens_per_episode", "latency_ms", "cost")
"""The metrics of a history where none is named."""

app = typer.Typer(invoke_without_command=True)


@app.callback()
def show(
    context: typer.Context,
    metric: Annotated[list[str] | None, typer.Option(help="A metric, whole; may be given again.")] = None,
    days: Annotated[int | None, typer.Option(min=1, max=36500, help="Only the last so many days.")] = None,
    version: Annotated[str | None, typer.Option(help="Only this version, as `name:version`.")] = None,
    task_key: Annotated[str, typer.Option(help="Only this task key.")] = "",
    floor: Annotated[
        list[str] | None, typer.Option(help="When will the metric pass this? `0.8`, or `METRIC=0.8`.")
    ] = None,
    budget: Annotated[float | None, typer.Option(min=0, help="When will production have cost this?")] = None,
    out: Annotated[Path | None, typer.Option(help="Picture to write, .png.")] = None,
    home: HomeFlag = None,
    config: ConfigFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Figures, promotions and rollbacks over time: how far the model has come, trends and forecasts.

    Example: ratchet history --metric quality --days 90 --floor 3.5 --out history.png
    """
    if context.invoked_subcommand is not None:
        return
    from cluster.histories import history_of

    with said(), opened({"home": home}, config) as at:
        asked = _asked(at, metric, days, floor)
        asked = asked._replace(version=version, task_key=task_key, budget=budget)
        if out is not None:
            _check_out(out)
        model = version.rpartition(":")[0] if version and ":" in version else at.settings.model
        # Standard error, and on a terminal only: a million requests take minutes.
        with console(True).status("Reading what was served"):
            found = history_of(at.ledger, model, asked)
        drawn = out is not None and _draw(out, found, asked.metrics)
    if as_json:
        print_json(found.model_dump(mode="json") | ({"picture": str(out)} if drawn else {}))
    else:
        _say(found, asked.metrics, whole=len(metric or [None]), picture=out if drawn else None)


@app.command()
def explain(
    first: Annotated[str, typer.Argument(help="A version, as `name:version`.")],
    second: Annotated[str, typer.Argument(help="Another one.")],
    metric: Annotated[str, typer.Option(help="The metric whose difference is divided.")] = "task_success",
    by: Annotated[By | None, typer.Option(help="What slices are made by. [kind, or tool without comparison]")] = None,
    home: HomeFlag = None,
    config: ConfigFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Show which slices account for the difference between two versions; the parts sum to the whole.

    Example: ratchet history explain agent:1 agent:2 --metric task_success --by tool
    """
    from cluster.histories import explained, metric_named
    from cluster.history_text import print_explained

    with said(), opened({"home": home}, config) as at:
        chosen = metric_named(at.settings.all_metrics(), metric)
        found = explained(at.ledger, at.home.comparisons, (first, second), metric=chosen, by=by)
    if as_json:
        print_json(found.model_dump(mode="json") | {"total": found.total})
        return
    called = "By the tool that was called first: examples do not hold the expected one."
    note = called if found.by is By.TOOL and "comparison" not in found.what else ""
    print_explained(console(), found, chosen, note)


def _asked(at: Opened, names: Sequence[str] | None, days: int | None, floors: Sequence[str] | None) -> Asked:
    """Return what is asked for. Raises `SettingsError`."""
    from datetime import timedelta

    from cluster.histories import metric_named
    from evaluation.history import Asked
    from evaluation.ledger.store import utc_now

    known = at.settings.all_metrics()
    chosen = {name: metric_named(known, name) for name in (names or USUAL)}
    now = utc_now()
    since = None if days is None else now - timedelta(days=days)
    return Asked(chosen, now, since, floors=_floors(floors or (), chosen, named=names is not None))


def _floors(given: Sequence[str], metrics: Mapping[str, Metric], *, named: bool) -> dict[str, float]:
    """Return floors by metric, in its own unit; a bare number is of the one metric that was named."""
    import math

    from cluster.histories import metric_named
    from cluster.settings import SettingsError

    floors = {}
    for text in given:
        name, _, value = text.rpartition("=")
        if not name and not (named and len(metrics) == 1):
            raise SettingsError(f"--floor: expected METRIC=NUMBER, or one --metric beside it, found {text!r}")
        metric = metric_named(metrics, name or next(iter(metrics)))
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if not math.isfinite(number):
            raise SettingsError(f"--floor: expected a number, or METRIC=NUMBER, found {text!r}")
        floors[metric.name] = number / metric.scale
    return floors


def _check_out(out: Path) -> None:
    from cluster.settings import SettingsError

    if out.suffix.lower() != ".png":
        raise SettingsError(f"--out: expected a name that ends in .png, found {out.name!r}")
    if not out.resolve().parent.is_dir():
        raise SettingsError(f"--out: expected a folder that is there, found {out.resolve().parent}; make it first")


def _draw(out: Path, found: History, metrics: Mapping[str, Metric]) -> bool:
    """Write the picture; return whether there was anything to draw."""
    if not found.metrics:
        return False
    from cluster.history_picture import draw_history
    from evaluation.files import atomic_write

    atomic_write(out, draw_history(found, metrics))
    return True


def _say(found: History, metrics: Mapping[str, Metric], *, whole: int, picture: Path | None) -> None:
    from cluster.history_text import print_history

    to = console()
    if not found.metrics:
        which = f" of {', '.join(metrics)}" if len(metrics) < len(USUAL) else ""
        to.print(f"No figures{which} yet, or not in these days: `ratchet loop` and `ratchet test run` leave some,"
                 " and so does what is served.", highlight=False, markup=False)  # fmt: skip
        return
    print_history(to, found, metrics, whole=whole)
    if picture is not None:
        to.print(f"Wrote {picture}", highlight=False, markup=False, soft_wrap=True)
