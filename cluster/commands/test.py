"""`ratchet test`: its commands put together; judge recorded outputs, and import scenarios of others."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from cluster.commands import runs
from cluster.commands.common import JsonFlag, console, print_json, said
from cluster.commands.generate import generate
from cluster.commands.run import run
from evaluation.rules import Rules
from evaluation.scenarios import Part

app = typer.Typer(help="Test runs and scenarios.", no_args_is_help=True)
imports = typer.Typer(help="Make a suite from other projects' files.", no_args_is_help=True)
app.add_typer(imports, name="import")
app.command()(generate)


app.command()(run)
app.command("list")(runs.list_runs)
app.command()(runs.show)
app.command()(runs.diff)
app.command()(runs.export)


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
