"""`ratchet metrics`: what is measured, each metric defined once."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.markup import escape

from cluster.commands.common import ConfigFlag, HomeFlag, JsonFlag, console, print_json, said


def metrics(
    name: Annotated[str | None, typer.Argument(help="One metric, whole.")] = None,
    fields: Annotated[bool, typer.Option("--fields", help="What an expression of one's own may use.")] = False,
    home: HomeFlag = None,
    config: ConfigFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Show the metrics: formula, unit, direction, level and source of each, one's own included.

    Example: ratchet metrics task_success
    """
    import difflib

    from cluster.settings import Settings, SettingsError

    with said():
        known = Settings.load({"home": home}, config).all_metrics()
        if name is not None and name not in known:
            near = difflib.get_close_matches(name, list(known), 1)
            hint = f", did you mean {near[0]}?" if near else ""
            raise SettingsError(f"expected a metric ({', '.join(known)}), found {name!r}{hint}")
    if fields:
        _print_fields(as_json)
        return
    rows = [
        {
            "name": metric.name,
            "title": metric.title,
            "formula": metric.formula,
            "unit": metric.unit,
            "better": metric.direction.value,
            "level": metric.level.value,
            "source": metric.source,
            "compared": _compared(metric.both_solved, metric.coverage.value),
        }
        for metric in known.values()
        if name is None or metric.name == name
    ]
    if as_json:
        print_json(rows)
        return
    out = console()
    for row in rows:
        out.print(
            f"[bold]{row['name']}[/]  [dim]{escape(row['title'])} · {row['unit']} · {row['better']} is better ·"
            f" {row['level']} · from {row['source']} · {row['compared']}[/]",
            highlight=False,
        )
        out.print(f"    {escape(row['formula'])}", highlight=False)


def _compared(both_solved: bool, coverage: str) -> str:
    where = {"every": "compared on every scenario", "sampled": "measured on some scenarios",
             "where_both": "compared where both arms have it"}[coverage]  # fmt: skip
    return f"{where} that both arms solved" if both_solved else where


def _print_fields(as_json: bool) -> None:
    from evaluation.expressions import FUNCTIONS
    from evaluation.own_metrics import FIELDS

    if as_json:
        print_json({"fields": dict(FIELDS), "functions": list(FUNCTIONS)})
        return
    out = console()
    for name, text in FIELDS.items():
        out.print(f"[bold]{name}[/]  {text}", highlight=False)
    out.print(f"Functions: {', '.join(FUNCTIONS)}", highlight=False)
