"""`ratchet loop`: one whole turn."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

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
    from cluster.turn import Turn

STEPS = "suite, base, test_run, select, train, register, compare, rollout, collect, report"
FLAGS = "flags.json"
_ID = re.compile(r"t(\d+)")


def loop(
    seed: Annotated[int | None, typer.Option(help="Redraws values, split, data order and users.")] = None,
    suite: Annotated[str | None, typer.Option(help="Built-in suite, or a file of scenarios.")] = None,
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
    flags = {"seed": seed, "suite": suite, "base": base, "serve.port": port, "home": home}
    with said():
        given = {key: str(value) for key, value in flags.items() if value is not None}
        if resume is not None:
            given = begun_with(given, config, resume) | given
        with opened(given, config) as at:
            turn_id = resume or next_id(at.home.loops)
            _keep(at.home.loops / turn_id / FLAGS, given)
            raise typer.Exit(_take(at, turn_id, as_json))


def begun_with(given: dict[str, str], config: Path | None, turn_id: str) -> dict[str, str]:
    """Return the flags that the turn was begun with: going on must not need them again. Raises `TurnError`."""
    with opened(given, config) as at:
        known_id(at.home.loops, turn_id)
        path = at.home.loops / turn_id / FLAGS
        return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def _keep(path: Path, given: dict[str, str]) -> None:
    from evaluation.files import atomic_write

    atomic_write(path, json.dumps({k: v for k, v in given.items() if k != "home"}) + "\n")


def _take(at: Opened, turn_id: str, as_json: bool) -> int:
    """Run or go on with a turn; return the exit status."""
    from cluster.turn import Turn

    out = console(as_json)
    _announce(at, out)
    turn = Turn(turn_id, at.settings, at.home, at.ledger, out)
    out.print(f"Turn [bold]{turn_id}[/], seed {at.settings.seed}, in {turn.folder}", highlight=False)
    try:
        result = _run(turn)
    except KeyboardInterrupt:
        out.print(f"\nStopped. Go on with: [bold]ratchet loop --resume {turn_id}[/]", highlight=False)
        return INTERRUPTED
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
        from cluster.session import prepare_environment

        prepare_environment()
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
    from evaluation.ledger import Status

    settings = at.settings
    out.print(f"One turn of the loop: {STEPS}.", highlight=False)
    out.print(f"Suite {settings.suite}, base {settings.base}, model {settings.model}.", highlight=False)
    done = next((turn for turn in at.ledger.loops(limit=20) if turn.status is Status.FINISHED), None)
    if done is None:
        out.print("No turn was finished in this home yet: allow ten minutes on two cores.", highlight=False)
    else:
        out.print(f"Last time ({done.turn_id}) it took {sum(done.seconds.values()):.0f} s.", highlight=False)


def _show(out: Console, result: ReportResult) -> None:
    from cluster.report_text import print_report

    print_report(out, result.report)
    out.print(f"Report: {result.folder}/report.md", highlight=False, soft_wrap=True)


def next_id(loops: Path) -> str:
    """Return the next free id, `t001` at first, and make its folder, so that nobody else takes it.

    Raises `HomeError` where the folder cannot be made.
    """
    from cluster.home import HomeError

    try:
        loops.mkdir(parents=True, exist_ok=True)
        number = max((int(m[1]) for p in loops.iterdir() if (m := _ID.fullmatch(p.name))), default=0)
        while True:
            number += 1
            try:
                (loops / f"t{number:03}").mkdir()
            except FileExistsError:
                continue
            return f"t{number:03}"
    except OSError as error:
        raise HomeError(f"could not make a turn's folder in {loops}: {error.strerror or error}") from error


def known_id(loops: Path, turn_id: str) -> str:
    """Return the id of a turn that is there. Raises `TurnError` for any other."""
    from cluster.turn import TurnError

    known = sorted(path.name for path in loops.iterdir() if path.is_dir()) if loops.is_dir() else []
    if turn_id not in known:
        raise TurnError(
            f"--resume: expected the id of a turn in {loops} ({', '.join(known) or 'none yet'}), found {turn_id!r}"
        )
    return turn_id
