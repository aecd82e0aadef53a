"""What `ratchet ab` was asked, as a plan, and what a plan needs to be carried out. Loaded by the command alone."""

from __future__ import annotations

import difflib
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from cluster.ab import ABWork
from cluster.ab_plan import ABError, ABPlan, ArmConfig, ArmPlan, labelled
from cluster.commands import models
from cluster.commands.common import Opened
from cluster.commands.models import ModelSpec, absolute
from cluster.commands.run import PartChoice, scenarios_of
from cluster.commands.tools import reach_of
from cluster.running import ModelSource, require_engine, spoken
from cluster.runs import Run, all_runs
from evaluation.ab import DEFAULT_METRICS, Question
from evaluation.agents import agent_named
from evaluation.clients.resolve import ClientOptions
from evaluation.held_out import held_out_digest
from evaluation.metrics import RATINGS
from evaluation.model_folder import folder_digest
from evaluation.records import stable_id
from evaluation.scenarios import Scenario
from training.provenance import environment


class Scope(NamedTuple):
    """Which scenarios, and how often."""

    part: PartChoice
    tags: tuple[str, ...]
    limit: int | None


def question_of(at: Opened, metrics: str | None, margin: float, alpha: float, *, until_decided: bool) -> Question:
    """Return the question. Raises `ABError` for metrics that there are not."""
    known = at.settings.all_metrics()
    asked = tuple(name.strip() for name in metrics.split(",")) if metrics else DEFAULT_METRICS
    if metrics is None and until_decided:
        asked = DEFAULT_METRICS[:1]
    for name in asked:
        if name not in known:
            near = difflib.get_close_matches(name, list(known), 1)
            hint = f", did you mean {near[0]}?" if near else ""
            raise ABError(f"--metrics: expected some of {', '.join(known)}; found {name!r}{hint}")
        if known[name].source == RATINGS:
            raise ABError(f"--metrics: expected what a comparison measures, found {name}, which only users can give")
        if until_decided and known[name].quantile is not None:
            raise ABError(f"--metrics: expected means or shares with --until-decided, found the quantile {name}")
    if until_decided and known[asked[0]].most is None:
        raise ABError(
            "--metrics: expected a first metric that has a largest value with --until-decided (a share, a quality),"
            f" found {asked[0]}, which rare extremes can turn after any stop; let it guard, or stop at the end"
        )
    if len(set(asked)) != len(asked):
        raise ABError(f"--metrics: expected each once, found {metrics}")
    return Question(metrics=asked, margin=margin, alpha=alpha)


def runs_named(at: Opened, configs: list[ArmConfig]) -> list[Run]:
    """Return the kept runs that the arms name; empty where they name models. Raises `ABError` for a mixture."""

    known = all_runs(at.home.runs)
    named = [run for config in configs for run in _named(known, config.model or "")]
    if named and len(named) < len(configs):
        raise ABError("expected models or test runs as arms, found both; run the model with `ratchet test run` first")
    return named


def require_nothing_else(**given: object) -> None:
    """Raise `ABError` for flags that say how models are run, where runs that were made are compared."""

    flags = [f"--{name.replace('_', '-')}" for name, value in given.items() if value not in (None, False, [])]
    if flags:
        raise ABError(f"{', '.join(flags)}: expected runs as they were made, found how to make them; leave them out")


def _named(known: list[Run], name: str) -> list[Run]:
    """Return the one run of this id, or of a beginning of it that begins with `run-`; empty where there is none."""
    exact = [run for run in known if run.plan.id == name]
    begun = [run for run in known if name.startswith("run-") and run.plan.id.startswith(name)]
    found = exact or begun
    return found if len(found) == 1 else []


def planned(
    at: Opened, configs: list[ArmConfig], scope: Scope, question: Question, *, until_decided: bool, short: bool
) -> ABPlan:
    """Return the plan. Raises what finding models, suite, agents and protocols raises; nothing is written."""

    settings, now = at.settings, datetime.now(UTC)
    arms = [_arm_plan(at, config) for config in configs]
    labels = labelled([config.name for config in configs], [arm.model_name for arm in arms])
    arms = [arm.model_copy(update={"label": label}) for arm, label in zip(arms, labels, strict=True)]
    scenarios = _scenarios(at, scope)
    path = Path(settings.suite)
    return ABPlan(
        id=f"ab-{stable_id(now, labels)[:10]}",
        arms=tuple(arms),
        suite=str(path.resolve()) if path.exists() else settings.suite,
        suite_digest=held_out_digest(scenarios),
        part=None if scope.part is PartChoice.ALL else scope.part.value,
        tags=scope.tags,
        limit=scope.limit,
        scenarios=len(scenarios),
        attempts=settings.run.attempts,
        seed=settings.seed,
        block=min(settings.run.block, 32) if until_decided and short else settings.run.block,
        question=question,
        until_decided=until_decided,
        engine=settings.engine.model_dump(mode="json") if any(arm.digest for arm in arms) else {},
        started_at=now,
        environment=environment(),
    )


def _arm_plan(at: Opened, config: ArmConfig) -> ArmPlan:

    asked = absolute(config.model or "tiny")
    given = {"base_url": config.base_url, "price_in": config.price_in, "price_out": config.price_out,
             "time_limit_s": config.request_seconds}  # fmt: skip
    options = ClientOptions.model_validate({name: value for name, value in given.items() if value is not None})
    try:
        agent_named(config.agent)
    except LookupError as error:
        raise ABError(f"agent: {error.args[0]}") from None
    protocol = None
    if config.protocol is not None:
        _, encoding = spoken(config.protocol)
        protocol = f"{config.protocol.removesuffix(f':{encoding}')}:{encoding}"
    run = at.settings.run
    source = models.model_spec(at, asked, options)
    return ArmPlan(
        label="",
        digest=_model_digest(source),
        model=asked,
        model_name=source.name,
        client=options,
        temperature=run.temperature if config.temperature is None else config.temperature,
        max_tokens=config.max_tokens or run.max_tokens,
        system=config.system,
        agent=config.agent,
        protocol=protocol,
    )


def _model_digest(source: ModelSource) -> str:
    """Return the digest of a local model's folder; empty behind an endpoint."""
    return folder_digest(Path(source.folder)) if isinstance(source, ModelSpec) else ""


def _is_other(arm: ArmPlan, source: ModelSource) -> bool:
    """Whether an alias or a folder means another model by now: weights by digest, endpoints by the version's name."""
    return (_model_digest(source) != arm.digest) if arm.digest else (source.name != arm.model_name)


def _scenarios(at: Opened, scope: Scope) -> tuple[Scenario, ...]:

    return scenarios_of(at, None if scope.part is PartChoice.ALL else scope.part.value, scope.tags, scope.limit)


def work_of(at: Opened, plan: ABPlan, allowed: tuple[Any, Any]) -> ABWork:
    """Return what the comparison needs. Raises `ABError` where its scenarios are no longer the same."""

    part = PartChoice.ALL if plan.part is None else PartChoice(plan.part)
    scenarios = _scenarios(at, Scope(part, plan.tags, plan.limit))
    if plan.until_decided:
        # A file may be sorted by kind; what is looked at early has to be like what comes late.
        scenarios = tuple(Random(plan.seed).sample(scenarios, len(scenarios)))
    if held_out_digest(scenarios) != plan.suite_digest:
        raise ABError(
            f"--resume: expected the scenarios that {plan.id} began with ({plan.suite_digest}), found others in"
            f" {plan.suite}; give it its old file and settings, or begin another comparison"
        )
    require_engine(plan.engine, at.settings.engine.model_dump(mode="json"), plan.id)
    sources = {arm.label: models.model_spec(at, arm.model, arm.client) for arm in plan.arms}
    changed = [arm.label for arm in plan.arms if _is_other(arm, sources[arm.label])]
    if changed:
        raise ABError(
            f"--resume: expected the models that {plan.id} began with, found another under the name of"
            f" {', '.join(changed)}; begin another comparison"
        )
    local = any(isinstance(source, ModelSpec) for source in sources.values())
    return ABWork(at.settings, scenarios, sources, at.settings.all_metrics(), reach_of(*allowed, scenarios), local)


def scenarios_of_run(run: Run) -> tuple[Scenario, ...]:
    """Return the scenarios that a kept run attempted."""
    return tuple({one.scenario.id: one.scenario for one in run.attempts()}.values())


def plan_of_runs(at: Opened, configs: list[ArmConfig], runs: list[Run], question: Question) -> ABPlan:
    """Return the plan of a comparison of kept runs."""

    now, first = datetime.now(UTC), runs[0].plan
    labels = labelled([config.name or run.plan.id for config, run in zip(configs, runs, strict=True)],
                      [run.plan.model_name for run in runs])  # fmt: skip
    arms = [
        ArmPlan(
            label=label,
            model=run.plan.model,
            model_name=run.plan.model_name,
            temperature=run.plan.temperature,
            max_tokens=run.plan.max_tokens,
            agent=run.plan.agent,
            protocol=run.plan.protocol,
        )
        for label, run in zip(labels, runs, strict=True)
    ]
    return ABPlan(
        id=f"ab-{stable_id(now, labels)[:10]}",
        arms=tuple(arms),
        runs=tuple(run.plan.id for run in runs),
        suite=first.suite,
        suite_digest=held_out_digest(scenarios_of_run(runs[0])),
        part=first.part,
        tags=first.tags,
        limit=first.limit,
        scenarios=first.scenarios,
        attempts=first.attempts,
        seed=first.seed,
        question=question,
        started_at=now,
        engine=first.engine,
        environment=first.environment,
    )
