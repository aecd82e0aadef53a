"""`ratchet test`: its commands put together, and `check`, which judges recorded outputs."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from cluster.commands.common import JsonFlag, console, print_json, said
from cluster.commands.lazy import lazy
from evaluation.rules import Rules

COMMANDS = {
    "run": "run:run",
    "check": "test:check",
    "import": "imports:app",
    "list": "runs:list_runs",
    "show": "runs:show",
    "diff": "runs:diff",
    "export": "runs:export",
    "tools": "tools:tools",
    "agents": "agents:agents",
    "generate": "generate:generate",
    "pin": "pins:pin",
    "pins": "pins:pins",
    "unpin": "pins:unpin",
    "flaky": "flaky:flaky",
    "looks": "flaky:looks",
}
app = typer.Typer(help="Test runs and scenarios.", no_args_is_help=True, cls=lazy(COMMANDS))


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
