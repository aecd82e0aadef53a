"""`ratchet loop`: one whole turn."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.text import Text

from cluster.commands.common import (
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

if TYPE_CHECKING:
    from cluster.results import ReportResult
    from cluster.settings import Settings
    from cluster.turn import Turn

STEPS = "suite, base, test_run, select, train, register, compare, rollout, collect, report"
PORT_S = 15.0
"""How long a turn that goes on waits for its port: the gateway of a process that was killed lives on for a while."""


def loop(
    seed: Annotated[int | None, typer.Option(help="Redraws values, split, data order and users.")] = None,
    suite: Annotated[str | None, typer.Option(help="Built-in suite, or a file of scenarios.")] = None,
    fold: Annotated[
        str | None, typer.Option(help="`2/5`: hold out the second of five folds of a file's scenarios.")
    ] = None,
    base: Annotated[str | None, typer.Option(help="`tiny`, a model folder or a Hugging Face id.")] = None,
    resume: Annotated[str | None, typer.Option(help="Go on with the turn of this id.")] = None,
    port: Annotated[int | None, typer.Option(help="Port of the gateway.")] = None,
    home: HomeFlag = None,
    config: ConfigFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Take the model once round the loop; a better one ends up in production.

    Exit status: 0 promoted, 2 bad input, 3 rejected or aborted, 4 inconclusive or paused, 130 interrupted.

    Example: ratchet loop --seed 7
    """
    begun = time.monotonic()
    flags = {"seed": seed, "suite": suite, "run.fold": fold, "base": base, "serve.port": port, "home": home}
    given = {key: str(value) for key, value in flags.items() if value is not None}
    with said():
        from cluster.turns import alone, begin, keep_flags, resume_command

        if resume is not None:
            given, config = _as_begun(given, config, resume)
        with opened(given, config) as at:
            if resume is None:
                require_port(at.settings)
            turn_id = resume or begin(at.home.loops, given, config)
            folder = at.home.loops / turn_id
            with alone(folder):
                if resume is not None and not (folder / "collect.json").exists():
                    require_port(at.settings, wait_s=PORT_S)
                if resume is not None:
                    keep_flags(folder, given, config)
                again = resume_command(turn_id, home, config)
                raise typer.Exit(_take(at, turn_id, begun, again=again, as_json=as_json))


def _as_begun(given: dict[str, str], config: Path | None, turn_id: str) -> tuple[dict[str, str], Path | None]:
    """Return flags and settings file with those that the turn was begun with: going on must not need them again."""
    from cluster.home import Home
    from cluster.settings import Settings
    from cluster.turns import CONFIG, begun_with

    kept = begun_with(Home(Settings.load(given, config).home_path()).loops, turn_id)
    known = kept.pop(CONFIG, None)
    return kept | given, config or (Path(known) if known else None)


def require_port(settings: Settings, wait_s: float = 0.0) -> None:
    """Raise `TurnError` where the gateway could not listen: else the rollout would find out, minutes later."""
    from cluster.doctor import check_port
    from cluster.turn import TurnError

    until = time.monotonic() + wait_s
    while not (found := check_port(settings.serve.host, settings.serve.port)).ok:
        if time.monotonic() >= until:
            raise TurnError(f"expected a port for the gateway, found {found.found}; {found.change}")
        time.sleep(0.5)


def _take(at: Opened, turn_id: str, begun: float, *, again: str, as_json: bool) -> int:
    """Run or go on with a turn; return the exit status. `again`: the command that goes on with it."""
    from cluster.clock import Clock
    from cluster.turn import Turn

    out = console(as_json)
    turn = Turn(turn_id, at.settings, at.home, at.ledger, out, Clock(at.home.loops / turn_id, begun))
    try:
        _announce(at, out)
        out.print(f"Turn [bold]{turn_id}[/], seed {at.settings.seed}, in {turn.folder}", highlight=False)
        result = _run(turn)
    except KeyboardInterrupt:
        out.print(Text.assemble("\nStopped. Go on with: ", (again, "bold")), soft_wrap=True)
        return INTERRUPTED
    finally:
        turn.clock.keep()
    if as_json:
        print_json(result.report)
    else:
        _show(out, result)
    return result.exit_status


def _run(turn: Turn) -> ReportResult:
    """Run the turn, and keep in the ledger how it ended."""
    from evaluation.ledger import LoopRecord, Status

    turn.ledger.start_loop(LoopRecord(turn_id=turn.id, seed=turn.settings.seed, started_at=datetime.now(UTC)))
    status = Status.FAILED
    try:
        # Loads Ray, torch and transformers, which takes seconds: a stop in between is one that resumes, too.
        from cluster.loop import run_turn

        result = run_turn(turn)
        status = Status.FINISHED
    except KeyboardInterrupt:
        status = Status.STOPPED
        raise
    finally:
        turn.ledger.finish_loop(turn.id, status, turn.seconds)
    return result


def _announce(at: Opened, out: Console) -> None:
    from cluster.clock import taken
    from evaluation.ledger import Status

    settings = at.settings
    out.print(f"One turn of the loop: {STEPS}.", highlight=False)
    champion = at.ledger.champion(settings.model)
    start = f"from the champion {champion}" if champion else f"from the base {settings.base}"
    out.print(f"Suite {settings.suite}, model {settings.model}, {start}.", highlight=False)
    done = [turn.turn_id for turn in at.ledger.loops(limit=20) if turn.status is Status.FINISHED]
    last = next(((turn, s) for turn in done if (s := taken(at.home.loops / turn)) is not None), None)
    if last is None:
        out.print("No turn was finished in this home yet: allow ten minutes on two cores.", highlight=False)
    else:
        out.print(f"Last time ({last[0]}) it took {last[1]:.0f} s.", highlight=False)


def _show(out: Console, result: ReportResult) -> None:
    from cluster.report_text import print_report

    print_report(out, result.report)
    out.print(f"Report: {result.folder}/report.md", highlight=False, soft_wrap=True)
