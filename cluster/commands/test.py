"""`ratchet test`: attempt scenarios, judge recorded outputs, generate scenarios, and import those of others."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from cluster.commands.common import ConfigFlag, HomeFlag, JsonFlag, Opened, console, opened, print_json, said
from cluster.commands.generate import generate
from evaluation.records import Example, stable_id
from evaluation.rules import Rules
from evaluation.scenarios import Part

if TYPE_CHECKING:
    from evaluation.run import RunResult
    from evaluation.suite import Suite

app = typer.Typer(help="Test runs and scenarios.", no_args_is_help=True)
imports = typer.Typer(help="Make a suite from other projects' files.", no_args_is_help=True)
app.add_typer(imports, name="import")
app.command()(generate)


class _Nowhere:
    """Keeps nothing."""

    def add_examples(self, examples: list[Example]) -> int:
        return len(examples)


@app.command()
def run(
    model: Annotated[str, typer.Option(help="`tiny`, a folder, `name:version` or `name@alias`.")] = "tiny",
    suite: Annotated[str | None, typer.Option(help="Built-in suite, or a file of scenarios.")] = None,
    part: Annotated[Part, typer.Option(help="Part of the suite.")] = Part.HELD_OUT,
    attempts: Annotated[int | None, typer.Option(help="Attempts at each scenario.")] = None,
    concurrency: Annotated[int | None, typer.Option(help="Episodes in flight.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="The first so many scenarios.")] = None,
    collect: Annotated[bool, typer.Option(help="Keep the episodes as examples in the ledger.")] = False,
    home: HomeFlag = None,
    config: ConfigFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Attempt a suite's scenarios with one model and print its figures with their intervals.

    Example: ratchet test run --model tiny --limit 40
    """
    flags = {"suite": suite, "run.attempts": attempts, "run.concurrency": concurrency, "home": home}
    with said(), opened(flags, config) as at:
        folder, name = find_model(at, model)
        drawn = _suite(at)
        scenarios = drawn.part(part)[:limit]
        result = _run(at, drawn, (folder, name), list(scenarios), collect=collect)
    metrics = {key: estimate.model_dump() for key, estimate in result.metrics.items()}
    failures = {str(kind): count for kind, count in result.failures.items()}
    if as_json:
        print_json({"run": result.run_id, "model": name, "episodes": result.total, "skipped": result.skipped,
                    "metrics": metrics, "failures": failures})  # fmt: skip
        return
    from cluster.report_text import NAMES, SCALES, show

    table = Table("", f"{name} on {part}", "scenarios")
    for key, estimate in metrics.items():
        table.add_row(NAMES.get(key, key), show(estimate, scale=SCALES.get(key, 1.0)), str(estimate["n"]))
    console().print(table)
    if failures:
        console().print("Failures: " + ", ".join(f"{n} {kind}" for kind, n in failures.items()), highlight=False)


def find_model(at: Opened, model: str) -> tuple[Path, str]:
    """Return folder and name. Raises `RegistryError` and `ModelFolderError`."""
    if model != "tiny" and not Path(model).expanduser().is_dir():
        registry = at.registry()
        version = registry.resolve(model)
        return registry.load_path(version), version.ref
    from cluster.steps.base import base_folder

    return base_folder(model), "tiny" if model == "tiny" else Path(model).expanduser().resolve().name


def _suite(at: Opened) -> Suite:
    from evaluation.suite import load

    settings = at.settings
    split = int(at.ledger.set_once(f"split_seed/{settings.suite}", str(settings.seed)))
    counts = {Part(name): n for name, n in settings.counts.model_dump().items()}
    return load(settings.suite, seed=settings.seed, split_seed=split, counts=counts)


def _run(at: Opened, suite: Suite, model: tuple[Path, str], scenarios: list[Any], *, collect: bool) -> RunResult:
    from evaluation.engines.client import LocalModel
    from evaluation.ledger import RunRecord, Status
    from evaluation.models import Sampling
    from evaluation.run import RunOptions, run_suite

    settings, now = at.settings, datetime.now(UTC)
    run_id = f"run-{stable_id(now, model[1])[:10]}"
    if collect:
        at.ledger.start_run(
            RunRecord(id=run_id, kind="test", suite_digest=suite.digest(), model=model[1], seed=settings.seed,
                      started_at=now)
        )  # fmt: skip
    local = LocalModel.load(model[0], model[1], settings.engine.build(alone=True))
    sampling = Sampling(settings.run.temperature, settings.run.max_tokens, settings.seed)
    options = RunOptions(concurrency=settings.run.concurrency, attempts=settings.run.attempts)
    sink: Any = at.ledger if collect else _Nowhere()
    try:
        result = asyncio.run(run_suite(scenarios, local, sink=sink, run_id=run_id, sampling=sampling, options=options))
    finally:
        local.close()
    if collect:
        at.ledger.finish_run(run_id, Status.FINISHED, {"examples": result.total})
    return result


@app.command()
def check(
    suite: Annotated[str, typer.Option(help="File of scenarios, or a built-in suite.")],
    outputs: Annotated[Path, typer.Option(help="Outputs, one `{id, candidate_calls}` a line.")],
    out: Annotated[Path, typer.Option(help="File to write, .jsonl: a verdict for each line.")],
    rules: Annotated[Rules, typer.Option(help="Our own rules, or the Berkeley leaderboard's.")] = Rules.NATIVE,
    as_json: JsonFlag = False,
) -> None:
    """Judge recorded outputs, without a model; the exit status is 0 whatever the verdicts.

    Example: ratchet test check --suite suite.jsonl --outputs outputs.jsonl --rules bfcl --out verdicts.jsonl
    """
    from evaluation.check import check_outputs, save_verdicts
    from evaluation.located import SuiteError
    from evaluation.suite import load

    with said():
        if out.resolve() in (outputs.resolve(), Path(suite).resolve()):
            raise SuiteError([f"--out: expected another file than what is judged, found {out}"])
        judged = check_outputs(load(suite).scenarios, outputs, rules)
        save_verdicts(judged, out)
    errors = Counter(one.ruling.error for one in judged if one.ruling.error)
    valid = sum(one.ruling.valid for one in judged)
    if as_json:
        print_json({"out": str(out), "rules": rules, "outputs": len(judged), "valid": valid,
                    "invalid": len(judged) - valid, "errors": dict(errors.most_common())})  # fmt: skip
        return
    console().print(f"Judged {len(judged)} outputs by the rules {rules}: {valid} valid, {len(judged) - valid} not. "
                    f"Wrote {out}", highlight=False)  # fmt: skip
    if errors:
        table = Table("error", "outputs")
        for error, count in errors.most_common():
            table.add_row(error, str(count))
        console().print(table)


@imports.command()
def bfcl(
    questions: Annotated[list[Path], typer.Option(help="The leaderboard's file of questions; may be given again.")],
    out: Annotated[Path, typer.Option(help="File to write, .jsonl.")],
    answers: Annotated[
        list[Path] | None, typer.Option(help="The file of answers; may be given again; not for (ir)relevance.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Make a suite from the Berkeley Function-Calling Leaderboard's files.

    Several categories become one suite when the options are given again.

    Example: ratchet test import bfcl --questions Q.json --answers A.json --out suite.jsonl
    """
    from evaluation.importers.bfcl import import_bfcl
    from evaluation.suite import Suite, save_jsonl

    with said():
        scenarios = tuple(import_bfcl(questions, answers or ()))
        suite = Suite(name=out.stem, seed=0, split_seed=0, scenarios=scenarios)
        save_jsonl(suite, out)
    counts = {str(part): len(suite.part(part)) for part in Part}
    if as_json:
        print_json({"suite": str(out), "scenarios": len(scenarios), "parts": counts})
        return
    parts = ", ".join(f"{n} {part}" for part, n in counts.items())
    console().print(f"Wrote {len(scenarios)} scenarios to {out}: {parts}", highlight=False)
