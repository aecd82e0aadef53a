"""`ratchet gate`: judge a comparison, explain a decision, list them, and say otherwise by name."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from cluster.commands.common import (
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
    from evaluation.gate_rules import RegressionEvidence
    from evaluation.ledger import DecisionRecord
    from evaluation.pair_rows import PairRow

app = typer.Typer(help="The gate: decisions, their evidence, and overrides.", no_args_is_help=True)

PolicyFlag = Annotated[Path | None, typer.Option(help="Policy file in YAML instead of the settings' `gate`.")]
DecisionRef = Annotated[str, typer.Argument(help="Id of a decision, the beginning of it, or `latest`.")]


class _Source(NamedTuple):
    """Rows to judge, and what they are of."""

    base: str
    candidate: str
    rows: list[PairRow]
    subject: str
    """What is judged, as far as the source tells: a version, else the arm."""
    inputs: dict[str, Any]
    """What the decision rests on."""


@app.command()
def judge(
    sources: Annotated[
        list[str], typer.Argument(help="Files of rows, turns of the loop, or a comparison by `ratchet ab`; pooled.")
    ],
    policy: PolicyFlag = None,
    base: Annotated[str | None, typer.Option(help="Arm of the base. [base, or the comparison's first]")] = None,
    candidate: Annotated[str | None, typer.Option(help="Arm of the candidate. [candidate, or the second]")] = None,
    subject: Annotated[str | None, typer.Option(help="What is judged, as the decision records it.")] = None,
    home: HomeFlag = None,
    config: ConfigFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Judge a comparison by a policy, and keep the decision. Several sources are folds of one, and are pooled.

    Exit status: 0 approve, 2 bad input, 3 reject, 4 inconclusive.

    Example: ratchet gate judge latest --policy strict.yaml
    """
    with said(), opened({"home": home, "gate": policy}, config) as at:
        from cluster.gate_text import print_decision
        from evaluation.compare import summarise
        from evaluation.gate import GateOutcome
        from evaluation.gate import judge as judged
        from evaluation.ledger import DecisionRecord
        from evaluation.ledger.store import utc_now
        from evaluation.records import stable_id

        metrics = at.settings.all_metrics()
        asked = at.settings.gate
        found = _source(at, sources, base, candidate)
        comparison = summarise(found.rows, found.base, found.candidate, alpha=asked.alpha, metrics=metrics)
        decision = judged(comparison, asked, _regression(at, found), metrics=metrics)
        name = subject or found.subject
        record = DecisionRecord(
            id=stable_id(name, decision.model_dump(mode="json"), found.inputs),
            subject=name,
            outcome=decision.outcome,
            evidence=decision.model_dump(mode="json") | {"inputs": found.inputs},
            policy_hash=decision.policy_hash,
            at=utc_now(),
        )
        at.ledger.record_decision(record)
    if as_json:
        print_json({"id": record.id, **decision.model_dump(mode="json")})
    else:
        print_decision(console(), decision, name)
        console().print(f"Kept as {record.id} · ratchet gate explain {record.id[:10]}", highlight=False)
    raise typer.Exit({GateOutcome.APPROVE: 0, GateOutcome.REJECT: 3, GateOutcome.INCONCLUSIVE: 4}[decision.outcome])


@app.command()
def explain(ref: DecisionRef, home: HomeFlag = None, config: ConfigFlag = None, as_json: JsonFlag = False) -> None:
    """Show a decision: each rule with its evidence, what would change it, what it rests on, who said otherwise.

    Example: ratchet gate explain 3f9c
    """
    with said(), opened({"home": home}, config) as at:
        from cluster.gate_text import audited_json, print_audited
        from evaluation.gate_audit import audited

        record = _decision(at, ref)
        found = audited(record, at.ledger.overrides(record.id))
    if as_json:
        print_json(audited_json(found))
    else:
        print_audited(console(), found)


@app.command("list")
def list_decisions(
    subject: Annotated[str | None, typer.Option(help="Only decisions on this version.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="The latest so many.")] = 20,
    home: HomeFlag = None,
    config: ConfigFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """List the gate's decisions, the latest first, with what holds of each.

    Example: ratchet gate list --subject agent:2
    """
    with said(), opened({"home": home}, config) as at:
        from cluster.gate_text import audited_json, print_decisions
        from evaluation.gate_audit import audited

        found = [audited(one, at.ledger.overrides(one.id)) for one in at.ledger.decisions(subject, limit)]
    if as_json:
        print_json([audited_json(one) for one in found])
    elif found:
        print_decisions(console(), found)
    else:
        console().print("No decision yet: ratchet loop, or ratchet gate judge", highlight=False)


@app.command()
def override(
    ref: DecisionRef,
    *,
    outcome: Annotated[str, typer.Option(help="approve or reject: what holds instead.")],
    by: Annotated[str, typer.Option(help="Name of the person who says so.")],
    reason: Annotated[str, typer.Option(help="Why; kept for ever.")],
    home: HomeFlag = None,
    config: ConfigFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Say otherwise than the gate, by name and with a reason. The decision stays, marked for ever.

    A turn that the gate ended goes on under the new word with `ratchet loop --resume ID`.

    Example: ratchet gate override 3f9c --outcome approve --by "Ann Smith" --reason "Checked all losses by hand"
    """
    with said(), opened({"home": home}, config) as at:
        from evaluation.gate_audit import audited, override_of
        from evaluation.ledger.store import utc_now

        record = _decision(at, ref)
        before = audited(record, at.ledger.overrides(record.id))
        said_otherwise = override_of(record, outcome, holds=before.holds, by=by, reason=reason, at=utc_now())
        at.ledger.override(said_otherwise)
        turn = before.inputs.get("turn")
    if as_json:
        print_json(said_otherwise.model_dump(mode="json"))
        return
    out = console()
    out.print(f"{record.subject}: the gate said {record.outcome}; {said_otherwise.outcome} by {by} holds now.",
              highlight=False)  # fmt: skip
    if turn is not None:
        out.print(f"Go on with the turn under it: ratchet loop --resume {turn}", highlight=False)


@app.command("policy")
def show_policy(
    policy: PolicyFlag = None, home: HomeFlag = None, config: ConfigFlag = None, as_json: JsonFlag = False
) -> None:
    """Check a policy and show it whole, with its digest.

    Example: ratchet gate policy --policy strict.yaml
    """
    import yaml

    with said(), opened({"home": home, "gate": policy}, config) as at:
        found = at.settings.gate
    if as_json:
        print_json({"digest": found.digest(), **found.model_dump(mode="json")})
    else:
        console().print(f"# digest {found.digest()}", highlight=False)
        text = yaml.safe_dump(found.model_dump(mode="json"), sort_keys=False)
        console().print(text, end="", highlight=False, markup=False)


def _decision(at: Opened, ref: str) -> DecisionRecord:
    """Return a decision by its id, the beginning of it, or `latest`. Raises `LedgerError`."""
    latest = at.ledger.decisions(limit=1) if ref == "latest" else ()
    return latest[0] if latest else at.ledger.decision(ref)


def _source(at: Opened, names: list[str], base: str | None, candidate: str | None) -> _Source:
    """Return the rows that the sources name. Raises `ABError` where one is none, and `FoldError`."""
    from cluster.ab_plan import ABError
    from evaluation.folds import pool_rows
    from evaluation.pair_rows import read_rows

    located = [_located(at, name) for name in names]
    each = []
    for one in located:
        try:
            each.append(read_rows(one.path))
        except (ValueError, OSError) as error:
            told = str(error).splitlines()[0]
            raise ABError(told if str(one.path) in told else f"{one.path}: expected rows, found: {told}") from None
    rows = pool_rows(each) if len(each) > 1 else each[0]
    first = located[0]
    arms = list(dict.fromkeys(row.arm for row in rows))
    chosen = (base or first.arms[0], candidate or first.arms[1])
    missing = [arm for arm in chosen if arm not in arms]
    if missing:
        raise ABError(
            f"expected rows of the arms {' and '.join(chosen)}, found those of {', '.join(arms) or 'none'};"
            " name them with --base and --candidate"
        )
    refs = [first.refs.get(arm, arm) for arm in chosen]
    inputs = first.inputs | {
        "base": refs[0],
        "candidate": refs[1],
        "rows": ", ".join(str(one.path) for one in located),
    }
    return _Source(*chosen, [row for row in rows if row.arm in chosen], refs[1], inputs)


class _Located(NamedTuple):
    """A file of rows, and what is known of it."""

    path: Path
    arms: list[str]
    """Base and candidate."""
    refs: dict[str, str]
    """Version by arm."""
    inputs: dict[str, Any]


def _located(at: Opened, name: str) -> _Located:
    """Return the file of rows that a name means. Raises `ABError` where it is none, or no evidence for a gate."""
    from cluster.ab_plan import RESULT, ABError, find_plan
    from cluster.pairing import ROWS
    from evaluation.scenarios import Part

    path, arms = Path(name), ["base", "candidate"]
    if path.is_file():
        return _Located(path.resolve(), arms, {}, {})
    turn = at.home.loops / name
    if (turn / ROWS).is_file():
        return _of_turn(at, name)
    try:
        plan = find_plan(at.home.comparisons, name)
    except ABError as error:
        raise ABError(f"expected a file of rows, a turn in {at.home.loops}, or a comparison; {error}") from None
    folder = at.home.comparisons / plan.id
    wrong = []
    if plan.part not in (Part.HELD_OUT.value, Part.LIVE.value):
        wrong.append(f"one of part {plan.part or 'all'}, which models learn from: compare them on held_out")
    if plan.until_decided:
        wrong.append("one that was watched while it ran, which a gate's intervals do not allow for: leave out"
                     " --until-decided")  # fmt: skip
    if not (folder / RESULT).is_file() or not (folder / ROWS).is_file():
        wrong.append(f"one that has not ended: ratchet ab --resume {plan.id}")
    if wrong:
        raise ABError(f"{plan.id}: expected a comparison that can be judged, found {'; and '.join(wrong)}")
    inputs = {"comparison": plan.id, "suite": plan.suite, "suite_digest": plan.suite_digest, "part": plan.part,
              "seed": plan.seed, "arms": [arm.told() | {"digest": arm.digest} for arm in plan.arms],
              "engine": plan.engine}  # fmt: skip
    return _Located(folder / ROWS, plan.labels, {arm.label: arm.model_name for arm in plan.arms}, inputs)


def _of_turn(at: Opened, turn_id: str) -> _Located:
    """Return the rows of a turn of the loop, with what its own decision rests on."""
    from cluster.pairing import ROWS

    known = [one.evidence.get("inputs") for one in at.ledger.decisions()]
    inputs = next((one for one in known if isinstance(one, dict) and one.get("turn") == turn_id), {})
    arms = ["base", "candidate"]
    refs = {arm: str(inputs[arm]) for arm in arms if arm in inputs}
    return _Located(at.home.loops / turn_id / ROWS, arms, refs, dict(inputs) | {"turn": turn_id})


def _regression(at: Opened, found: _Source) -> RegressionEvidence:
    """Return how the candidate did on what is pinned, as far as the rows hold it."""
    from evaluation.gate_rules import pinned, regression_evidence
    from evaluation.regression import PinAttempt, regression_run

    attempts = [PinAttempt(row.scenario_id, row.success) for row in found.rows if row.arm == found.candidate]
    return regression_evidence(regression_run(at.ledger.pins(), attempts), pinned(found.rows, found.candidate))
