"""`ratchet test generate`: scenarios from a description of tools, each proven before it is kept."""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.box import SIMPLE
from rich.table import Table

from cluster.commands.common import ConfigFlag, HomeFlag, JsonFlag, console, opened, print_json, said
from cluster.commands.models import BaseUrlFlag
from evaluation.scenarios import Kind, Part

if TYPE_CHECKING:
    from evaluation.generate import Generated, Sourced
    from evaluation.models import ModelClient

_MOST_ROWS = 40
"""Lines of the table that are printed; `--json` has all."""


def generate(
    tools: Annotated[Path, typer.Option(help="OpenAI tool list, OpenAPI 3 document, MCP tools/list, or a .py file.")],
    out: Annotated[Path, typer.Option(help="File to write, .jsonl; how it was made stands beside it.")],
    count: Annotated[int, typer.Option(min=1, help="Scenarios to make.")] = 200,
    seed: Annotated[int, typer.Option(help="Draws values, words and tools on offer.")] = 0,
    split_seed: Annotated[int, typer.Option(help="Divides words and values over the three parts.")] = 0,
    kinds: Annotated[str, typer.Option(help="Kinds to make, with commas; all, when left out.")] = "",
    part: Annotated[Part | None, typer.Option(help="Scenarios of this part only.")] = None,
    model: Annotated[str | None, typer.Option(help="Model that rephrases, and thinks of look-alike tools.")] = None,
    base_url: BaseUrlFlag = None,
    execute: Annotated[bool, typer.Option(help="Let scenarios execute the functions of a .py file.")] = False,
    home: HomeFlag = None,
    config: ConfigFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Make scenarios from a description of tools. Each is proven: an oracle passes it, wrong agents fail it.

    Example: ratchet test generate --tools tools.json --count 200 --out suite.jsonl
    """
    from evaluation.generate import account as accounts
    from evaluation.generate import generate as make
    from evaluation.generate import read_tools, with_model

    with said():
        chosen = _kinds(kinds)
        _check_out(out, tools)
        source = read_tools(tools, module_of(tools) if execute else None)
        generated = make(source.tools, count=count, seed=seed, split_seed=split_seed, kinds=chosen, part=part)
        if model is not None:
            with _client(model, base_url, {"home": home}, config) as client:
                generated = asyncio.run(with_model(generated, client, seed=seed))
        made = accounts.account(generated, source, tools.name, model)
        accounts.save(generated, made, out)
    if as_json:
        rows = [
            {"tool": r.tool, "parameter": r.parameter, "kinds": r.kinds} for r in accounts.coverage(generated.counts)
        ]
        print_json({"suite": str(out), **made, "coverage": rows, "never_said": accounts.never_said(generated.counts)})
        return
    _print(generated, source, out)


def _kinds(text: str) -> list[Kind]:
    """Return the kinds that were asked for. Raises `SuiteError`."""
    from evaluation.generate import KINDS
    from evaluation.located import SuiteError

    names = [name.strip() for name in text.split(",") if name.strip()]
    known = {kind.value: kind for kind in KINDS}
    wrong = [name for name in names if name not in known]
    if wrong:
        raise SuiteError([f"--kinds: expected some of {', '.join(known)}, found {', '.join(wrong)}"])
    return [known[name] for name in names] or list(KINDS)


def _check_out(out: Path, tools: Path) -> None:
    from evaluation.located import SuiteError

    if out.suffix != ".jsonl":
        raise SuiteError([f"--out: expected a file that ends in .jsonl, found {out}"])
    if out.resolve() == tools.resolve():
        raise SuiteError([f"--out: expected another file than --tools, found {out}"])


def module_of(tools: Path) -> str:
    """Return the dotted name under which a .py file can be imported from here. Raises `SuiteError`."""
    from evaluation.located import SuiteError

    try:
        name = ".".join(tools.resolve().with_suffix("").relative_to(Path.cwd().resolve()).parts)
        found = importlib.util.find_spec(name) if tools.suffix == ".py" else None
    except (ImportError, ValueError):
        found = None
    if found is None or found.origin is None or Path(found.origin).resolve() != tools.resolve():
        raise SuiteError(
            [f"--execute: expected a .py file that can be imported from the working folder, found {tools}"]
        )
    return name


@contextmanager
def _client(model: str, base_url: str | None, flags: Mapping[str, Any], config: Path | None) -> Iterator[ModelClient]:
    from cluster.commands.models import model_spec
    from evaluation.clients.resolve import ClientOptions

    options = ClientOptions(base_url=base_url)
    with opened(flags, config) as at, model_spec(at, model, options).client() as client:
        yield client


def _print(generated: Generated, source: Sourced, out: Path) -> None:
    from evaluation.generate import account as accounts
    from evaluation.generate import fell_back

    counts, to = generated.counts, console()

    def tell(text: str) -> None:
        to.print(text, highlight=False, soft_wrap=True, markup=False)

    parts = ", ".join(f"{n} {part}" for part, n in accounts.parts_of(generated.suite).items())
    tell(f"Read {len(source.tools)} tools from {source.kind.value}.")
    for note in source.notes[:8]:
        tell(f"Note: {note}")
    if len(source.notes) > 8:
        tell(f"Note: … and {len(source.notes) - 8} more ({accounts.made_file(out).name})")
    tell(f"Wrote {counts.total} scenarios to {out}: {parts}")
    to.print(_table(generated))
    never = accounts.never_said(counts)
    if never:
        tell(f"In no scenario: {', '.join(never[:10])}{f' and {len(never) - 10} more' if len(never) > 10 else ''}")
    if counts.dropped:
        tell("Dropped: " + "; ".join(f"{number} {reason}" for reason, number in counts.dropped.most_common(8)))
    for kind, reason in counts.given_up.items():
        tell(f"No more of {kind}: {reason}")
    tell(_impossible(counts.impossible))
    if counts.by_model:
        tell("The model: " + ", ".join(f"{number} {what}" for what, number in counts.by_model.most_common()))
    if told := fell_back(generated):
        tell(told)


def _impossible(counts: Mapping[str, int]) -> str:
    """Return which proofs went without some of the wrong agents."""
    by_kind: dict[str, list[str]] = {}
    for key, number in counts.items():
        kind, agent = key.split(": ")
        by_kind.setdefault(kind, []).append(f"{agent} {number}")
    told = "; ".join(f"{kind} ({', '.join(agents)})" for kind, agents in by_kind.items())
    return f"Proven without these wrong agents, which cannot exist there: {told or 'none'}"


def _table(generated: Generated) -> Table:
    from evaluation.generate import KINDS
    from evaluation.generate import account as accounts

    table = Table(box=SIMPLE, padding=(0, 1, 0, 0))
    table.add_column("said in scenarios", overflow="fold")
    for kind in KINDS:
        table.add_column(kind.value.replace("_", "\n"), justify="right")
    rows = accounts.coverage(generated.counts)
    for row in rows[:_MOST_ROWS]:
        table.add_row(f"  {row.parameter}" if row.parameter else row.tool, *(str(n) if n else "·" for n in row.kinds))
    if len(rows) > _MOST_ROWS:
        table.add_row(f"… and {len(rows) - _MOST_ROWS} more lines")
    return table
