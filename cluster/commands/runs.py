"""`ratchet test list | show | diff | export`: test runs that were kept."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from cluster.commands.common import ConfigFlag, HomeFlag, JsonFlag, console, print_json, said

if TYPE_CHECKING:
    from cluster.run_export import Format
    from cluster.runs import Run, RunPlan
    from cluster.settings import Settings
    from evaluation.examples import Scales
    from evaluation.run_folder import Attempted

Ref = Annotated[str, typer.Argument(help="Id of a run, the beginning of it, or `latest`.")]
MOST = 100
"""Episodes of a list, where nothing else is said."""


def list_runs(
    suite: Annotated[str | None, typer.Option(help="Only runs of this suite.")] = None,
    model: Annotated[str | None, typer.Option(help="Only runs of this model.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="The latest so many.")] = 20,
    home: HomeFlag = None,
    config: ConfigFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """List the test runs, the latest first, with their figures.

    Example: ratchet test list --suite tools --model tiny
    """
    from cluster.home import Home
    from cluster.report_text import title_of
    from cluster.runs import all_runs

    with said():
        settings = _settings(home, config)
        runs, scales = Home(settings.home_path()).runs, settings.scales()
        found = [run for run in all_runs(runs) if _is_of(run.plan, suite, model)][:limit]
        rows = [_summary(run, scales) for run in found]
    if as_json:
        print_json(rows)
        return
    out = console()
    for row in rows:
        style = "" if row["state"] == "finished" else "yellow"
        what = " · ".join([row["suite"], row["part"] or "all parts", row["model"], f"agent {row['agent']}"])
        state = f"{row['episodes']}/{row['total']} {row['state']}"
        out.print(
            Text.assemble((row["run"], "bold"), f"  {what}  ", (state, style), f"  {row['started_at'][:16]}"),
            soft_wrap=True,
        )
        shares = [f"{title_of(key)} {_share(row['metrics'][key])}" for key in ("task_success", "tool_accuracy")]
        out.print(Text("    " + " · ".join(shares), "dim"))
    if not rows:
        out.print("No such test run in this home: ratchet test run", highlight=False)


def show(
    run: Ref,
    episode: Annotated[str | None, typer.Argument(help="Id of an episode, the beginning of it, or a scenario.")] = None,
    failed: Annotated[bool, typer.Option("--failed", help="Only episodes that did not pass.")] = False,
    kind: Annotated[str | None, typer.Option(help="Only scenarios of this kind.")] = None,
    tool: Annotated[str | None, typer.Option(help="Only where this tool was expected or called.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="The first so many.")] = MOST,
    whole: Annotated[bool, typer.Option("--whole", help="Print the episodes of the list whole.")] = False,
    home: HomeFlag = None,
    config: ConfigFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """List a run's episodes, or show one: what was said, called and returned, and where it went wrong.

    Example: ratchet test show latest --failed
    """
    from cluster.runs import find_run

    with said():
        found = find_run(_runs(home, config), run)
        chosen = sorted(_chosen(found, episode, failed=failed, kind=kind, tool=tool), key=lambda one: one.order)
        if episode is not None and not chosen:
            _refuse(found, episode)
    some = chosen[:limit]
    if as_json:
        print_json([_json(one) for one in some])
    elif episode is not None or whole:
        _print_whole(some)
    else:
        _print_list(found, some, len(chosen))


def diff(
    first: Annotated[str, typer.Argument(help="Id of a run, the beginning of it, or `latest`.")],
    second: Ref,
    limit: Annotated[int, typer.Option(min=0, help="Changed scenarios to show side by side.")] = 3,
    home: HomeFlag = None,
    config: ConfigFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Compare two runs: scenarios that changed their verdict, both ways, figures, and episodes side by side.

    Example: ratchet test diff run-1a2b latest
    """
    from cluster.home import Home
    from cluster.run_diff import diff as compared
    from cluster.run_diff import diff_json, print_diff
    from cluster.runs import find_run

    with said():
        settings = _settings(home, config)
        runs = Home(settings.home_path()).runs
        found = compared(find_run(runs, first), find_run(runs, second), settings.scales())
    if as_json:
        print_json(diff_json(found))
    else:
        print_diff(console(), found, limit)


def export(
    run: Ref,
    out: Annotated[Path, typer.Option(help="File to write.")],
    kind: Annotated[
        str | None, typer.Option("--format", help="junit, html or jsonl. [by the file's name: .xml, .html, .jsonl]")
    ] = None,
    home: HomeFlag = None,
    config: ConfigFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Write a run as JUnit XML, as one HTML page, or as JSON Lines.

    Example: ratchet test export latest --out report.xml
    """
    from cluster.home import Home
    from cluster.run_export import export as write
    from cluster.runs import find_run

    with said():
        settings = _settings(home, config)
        found = find_run(Home(settings.home_path()).runs, run)
        form = _format(kind, out)
        written = write(found, form, out, settings.scales())
    if as_json:
        print_json({"run": found.plan.id, "format": form, "out": str(out), "episodes": written})
    else:
        console().print(f"Wrote {written} episodes to {out}", highlight=False, markup=False, soft_wrap=True)


def _runs(home: Path | None, config: Path | None) -> Path:
    """Return the folder of the runs: nothing else of a home is needed to read them."""
    from cluster.home import Home

    return Home(_settings(home, config).home_path()).runs


def _settings(home: Path | None, config: Path | None) -> Settings:
    from cluster.settings import Settings

    return Settings.load({"home": home}, config)


def _is_of(plan: RunPlan, suite: str | None, model: str | None) -> bool:
    names = {plan.suite, Path(plan.suite).name, Path(plan.suite).stem}
    return (suite is None or suite in names) and (model is None or model in (plan.model, plan.model_name))


def _summary(run: Run, scales: Scales) -> dict[str, Any]:
    plan, figures = run.plan, run.figures(scales)
    return {
        "run": plan.id,
        "suite": Path(plan.suite).name,
        "part": plan.part,
        "model": plan.model_name,
        "agent": plan.agent,
        "seed": plan.seed,
        "attempts": plan.attempts,
        "scenarios": plan.scenarios,
        "episodes": figures.attempts,
        "total": plan.total,
        "state": run.state.value,
        "started_at": plan.started_at.isoformat(),
        "cost": figures.cost,
        "metrics": {name: one.model_dump() for name, one in figures.metrics.items()},
        "failures": {kind.value: n for kind, n in figures.failures.items()},
    }


def _share(estimate: dict[str, Any]) -> str:
    from cluster.report_text import show as shown

    return shown(estimate, digits=2)


def _chosen(run: Run, episode: str | None, *, failed: bool, kind: str | None, tool: str | None) -> Iterator[Attempted]:
    from cluster.episode_view import tools_of, verdict_of

    for one in run.attempts():
        named = episode is None or one.scenario.id == episode or one.episode.id.startswith(episode)
        of_kind = kind is None or one.scenario.kind.value == kind
        with_tool = tool is None or tool in tools_of(one)
        if named and of_kind and with_tool and not (failed and verdict_of(one) == "passed"):
            yield one


def _refuse(run: Run, episode: str) -> None:
    from evaluation.run_folder import RunFolderError

    raise RunFolderError(
        f"expected an episode or a scenario of run {run.plan.id}, or the beginning of an episode's id, found"
        f" {episode!r}; `ratchet test show {run.plan.id}` lists them"
    )


def _json(one: Attempted) -> dict[str, Any]:
    from cluster.episode_view import view

    seen = view(one)
    return {"verdict": seen.verdict, "wrong": seen.wrong, "where": seen.where} | one.model_dump(mode="json")


def _print_whole(some: list[Attempted]) -> None:
    from cluster.episode_text import print_episode
    from cluster.episode_view import view

    out = console()
    for number, one in enumerate(some):
        if number:
            out.rule()
        print_episode(out, view(one))


def _print_list(run: Run, some: list[Attempted], count: int) -> None:
    from cluster.episode_text import VERDICTS, clean_text
    from cluster.episode_view import view

    out = console()
    for seen in map(view, some):
        head = Text.assemble(
            (seen.id[:8], "bold"), " ", (seen.verdict, VERDICTS[seen.verdict]), f"  {clean_text(seen.scenario)}"
        )
        out.print(head + Text(f"  {seen.kind}, attempt {seen.attempt}", "dim"), soft_wrap=True)
        if seen.wrong:
            out.print(Text("    " + clean_text(seen.wrong[0]).replace("\n", " ")), overflow="ellipsis", no_wrap=True)
    more = f", the first {len(some)} of them shown (--limit)" if count > len(some) else ""
    out.print(f"{count} episodes{more} · ratchet test show {run.plan.id} EPISODE", highlight=False, soft_wrap=True)


def _format(kind: str | None, out: Path) -> Format:
    from cluster.run_export import FORMAT_OF, Format
    from evaluation.run_folder import RunFolderError

    if kind is None:
        by_name = FORMAT_OF.get(out.suffix.lower())
        if by_name is None:
            endings = ", ".join(FORMAT_OF)
            raise RunFolderError(f"--out: expected a name that ends in {endings}, or --format; found {out.name!r}")
        return by_name
    try:
        return Format(kind)
    except ValueError:
        raise RunFolderError(f"--format: expected {', '.join(Format)}, found {kind!r}") from None
