"""`ratchet test pin | pins | unpin`: the regression set, which every candidate has to pass."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from cluster.commands.common import ConfigFlag, HomeFlag, JsonFlag, console, opened, print_json, said

if TYPE_CHECKING:
    from cluster.pinning import Meant, Pinned
    from evaluation.ledger import PinRecord
    from evaluation.scenarios import Expected

COMMAND = "ratchet test pin"
ByFlag = Annotated[str, typer.Option("--by", help="Your name, for the trail.")]


def pin(
    scenarios: Annotated[list[str] | None, typer.Argument(help="Ids of the suite's scenarios.")] = None,
    from_run: Annotated[str | None, typer.Option(help="A run: its id, the beginning of it, or `latest`.")] = None,
    episode: Annotated[list[str] | None, typer.Option(help="Of the run, only this; may be given again.")] = None,
    failed: Annotated[bool, typer.Option("--failed", help="Of the run, only what failed.")] = False,
    from_example: Annotated[str | None, typer.Option(help="An example of production, by its id.")] = None,
    expect_call: Annotated[
        list[str] | None, typer.Option(help='A right call, as {"name": …, "arguments": …}; may be given again.')
    ] = None,
    expect: Annotated[Path | None, typer.Option(help="File with what is right: a scenario's `expected`.")] = None,
    expect_answer: Annotated[str | None, typer.Option(help="Words that the right answer says.")] = None,
    suite: Annotated[str | None, typer.Option(help="Built-in suite, or a file of scenarios.")] = None,
    reason: Annotated[str, typer.Option(help="Why, for the trail.")] = "",
    by: ByFlag = COMMAND,
    home: HomeFlag = None,
    config: ConfigFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Put scenarios into the regression set: the gate rejects every candidate that fails one of them.

    A run gives the scenarios that failed in it, an example of production becomes a scenario.

    Example: ratchet test pin --from-run latest --reason "broke in May" --by Ann
    """
    with said():
        expected = _expected(expect_call or [], expect, expect_answer)
        _require_one({"SCENARIO": bool(scenarios), "--from-run": from_run is not None,
                      "--from-example": from_example is not None})  # fmt: skip
        _require_for("--from-run", from_run, {"--episode": episode, "--failed": failed})
        _require_for("--from-example", from_example, {"--expect-call, --expect, --expect-answer": expected})
        from cluster import pinning

        with opened({"suite": suite, "home": home}, config) as at:
            meant: list[Meant] = []
            if from_run is not None:
                meant = pinning.of_run(at, from_run, episode or [], failed=failed)
            elif from_example is not None:
                meant = pinning.of_example(at, from_example, expected)
            else:
                meant = pinning.named(at, scenarios or [])
            done = pinning.pin(at.ledger, meant, by=by, reason=reason, at=datetime.now(UTC))
    if as_json:
        print_json([{"new": one.new, "changed": one.changed, **_brief(one.pin)} for one in done])
        return
    for one in done:
        _say(one)
    new = sum(one.new for one in done)
    words = f"{new} of {len(done)} scenarios are new in the regression set: ratchet test pins"
    if from_run is not None:
        words += (
            "\nAs long as a model fails one of them, the gate approves none that does; flaky ones: ratchet test flaky"
        )
    console().print(words, highlight=False, soft_wrap=True)


def _require_one(given: dict[str, bool]) -> None:
    from evaluation.from_example import PinError

    named = [name for name, is_given in given.items() if is_given]
    if len(named) != 1:
        raise PinError(f"expected one of {', '.join(given)}, found {' and '.join(named) or 'none'}")


def _require_for(flag: str, value: str | None, given: dict[str, Any]) -> None:
    from evaluation.from_example import PinError

    named = [name for name, one in given.items() if one]
    if value is None and named:
        raise PinError(f"{', '.join(named)}: expected {flag}, which they are for, found none")


def _expected(calls: list[str], file: Path | None, answer: str | None) -> Expected | None:
    """Return what is said to be right, if anything is. Raises `PinError` and `SuiteError`."""
    from evaluation.from_example import PinError
    from evaluation.located import Document, SuiteError, parse, read_jsonl, read_yaml
    from evaluation.scenarios import Expected
    from evaluation.shorthand import in_full

    if file is not None and (calls or answer is not None):
        raise PinError("--expect: expected no --expect-call and no --expect-answer beside it, found both")
    if file is not None:
        document = read_jsonl(file) if file.suffix == ".jsonl" else read_yaml(file)
    elif calls or answer is not None:
        made: dict[str, Any] = {"calls": [_call(text) for text in calls]}
        if answer is not None:
            made["answer"] = {"contains": [answer]}
        document = Document(Path("--expect-call"), made)
    else:
        return None
    data = document.data[0] if file is not None and file.suffix == ".jsonl" and document.data else document.data
    data = data["expected"] if isinstance(data, dict) and set(data) == {"expected"} else data
    mistakes: list[str] = []
    expected = parse(Expected, document, in_full({"expected": data})["expected"], (), mistakes=mistakes)
    if expected is None:
        raise SuiteError(mistakes)
    return expected


def _call(text: str) -> dict[str, Any]:
    from evaluation.from_example import PinError

    try:
        call = json.loads(text)
    except ValueError:
        call = None
    if not isinstance(call, dict) or not isinstance(call.get("name"), str):
        raise PinError(f'--expect-call: expected {{"name": "…", "arguments": {{…}}}}, found {text!r}')
    return {"arguments": {}, **call}


def _say(one: Pinned) -> None:
    words = "pinned" if one.new else "was pinned before"
    if one.changed:
        words += " with another content, which stays: unpin it first to pin it as it is now"
    console().print(Text.assemble((one.pin.id, "bold"), f"  {words} ({one.pin.origin})"), soft_wrap=True)


def pins(
    whole: Annotated[bool, typer.Option("--whole", help="Print trail, question and what is right of each.")] = False,
    removed: Annotated[bool, typer.Option("--removed", help="Those that were taken out, too.")] = False,
    home: HomeFlag = None,
    config: ConfigFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """List the regression set: status, where each scenario comes from, and why.

    Example: ratchet test pins --whole
    """
    with said():
        from cluster.pinning import pins_of

        with opened({"home": home}, config) as at:
            found = pins_of(at.ledger, removed=removed)
    if as_json:
        print_json([_whole(one) if whole else _brief(one) for one in found])
        return
    out = console()
    if not found:
        out.print("Nothing is pinned: ratchet test pin", highlight=False)
    elif whole:
        for one in found:
            _print_whole(one)
    else:
        for one in found:
            style = "" if one.status == "active" else "yellow"
            what = f"  {one.scenario.kind.value} · {one.origin} · since {one.at:%Y-%m-%d}"
            out.print(Text.assemble((one.id, "bold"), "  ", (one.status.value, style), what), soft_wrap=True)
            out.print(Text(f"    {one.trail[-1].reason}", "dim"), soft_wrap=True)
    quarantined = sum(one.status == "quarantined" for one in found)
    if quarantined:
        out.print(f"{quarantined} quarantined: attempted and reported, without a say.", highlight=False)


def _brief(one: PinRecord) -> dict[str, Any]:
    return {"scenario": one.id, "status": one.status, "origin": one.origin, "kind": one.scenario.kind, "at": one.at,
            "trail": [event.model_dump(mode="json", exclude_none=True) for event in one.trail]}  # fmt: skip


def _whole(one: PinRecord) -> dict[str, Any]:
    return {**_brief(one), "content": one.scenario.model_dump(mode="json", exclude_defaults=True)}


def _print_whole(one: PinRecord) -> None:
    out = console()
    out.print(Text.assemble((one.id, "bold"), f"  {one.status.value}  {one.origin}"), soft_wrap=True)
    asked = next((message.content for message in reversed(one.scenario.messages) if message.role == "user"), "")
    right = one.scenario.expected.model_dump_json(exclude_defaults=True)
    out.print(Text(f"  asked     {asked}\n  right     {right}"), soft_wrap=True)
    for event in one.trail:
        counts = "" if event.attempts is None else f" ({event.passes} of {event.attempts} passed)"
        out.print(
            Text(f"  {event.at:%Y-%m-%d %H:%M}  {event.what} by {event.by}: {event.reason}{counts}"), soft_wrap=True
        )


def unpin(
    scenarios: Annotated[list[str], typer.Argument(help="Ids of pinned scenarios.")],
    by: Annotated[str, typer.Option("--by", help="Your name, for the trail.")],
    reason: Annotated[str, typer.Option(help="Why, for the trail.")],
    home: HomeFlag = None,
    config: ConfigFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Take scenarios out of the regression set; who did it, and why, stays in their trail.

    Example: ratchet test unpin s17 --by Ann --reason "the tool was retired"
    """
    with said():
        from cluster.pinning import unpin as taken_out
        from evaluation.from_example import PinError

        if not (by.strip() and reason.strip()):
            raise PinError("--by, --reason: expected a name and a reason, found an empty text")
        with opened({"home": home}, config) as at:
            done = taken_out(at.ledger, scenarios, by=by, reason=reason, at=datetime.now(UTC))
    if as_json:
        print_json([_brief(one) for one in done])
        return
    for one in done:
        console().print(Text.assemble((one.id, "bold"), f"  taken out by {by}: {reason}"), soft_wrap=True)
