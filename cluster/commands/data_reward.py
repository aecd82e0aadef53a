"""`ratchet data reward`: what examples are worth, reckoned anew or shown."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cluster.commands.common import ConfigFlag, HomeFlag, JsonFlag, Opened, console, opened, print_json, said

if TYPE_CHECKING:
    from evaluation.ledger.collected import RewardRecord
    from evaluation.rewards import RewardConfig

COMPONENTS = ("correctness", "speed", "cost", "user_satisfaction")


def reward(
    recompute: Annotated[bool, typer.Option("--recompute", help="Reckon every example's reward anew.")] = False,
    weights: Annotated[
        Path | None, typer.Option(help="YAML file of weights instead of the settings' `data.reward`.")
    ] = None,
    example: Annotated[str | None, typer.Option(help="Show the rewards of this example.")] = None,
    home: HomeFlag = None,
    config: ConfigFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Show rewards and their versions, or reckon them anew from the labels in force and what users said by now.

    Weights have a version, their digest; rewards of earlier versions are kept. May be stopped and run again.

    Example: ratchet data reward --recompute --weights weights.yaml
    """
    from evaluation.passes import recompute_rewards

    with said(), opened({"home": home}, config) as at:
        chosen = _weights(at, weights)
        done: dict[str, Any] = {}
        if recompute:
            out = console(as_json)
            with out.status("Reckoning") as status:
                pass_ = recompute_rewards(at.ledger, chosen, told=lambda n: status.update(f"Reckoning: {n} examples"))
            done = {"version": pass_.version, "examples": pass_.examples, "rewarded": pass_.rewarded,
                    "changed": pass_.changed}  # fmt: skip
        rewards = None if example is None else at.ledger.rewards_of(at.ledger.example(example).id)
        versions = at.ledger.reward_versions()
    if as_json:
        told = None if rewards is None else [one.model_dump(mode="json") for one in rewards]
        print_json({"weights": chosen.model_dump() | {"version": chosen.version}, "versions": versions}
                   | ({"recomputed": done} if done else {}) | ({} if told is None else {"rewards": told}))  # fmt: skip
        return
    out = console()
    if done:
        out.print(f"{done['rewarded']} of {done['examples']} examples have a reward of version {done['version']};"
                  f" {done['changed']} changed", highlight=False)  # fmt: skip
    if rewards is not None:
        _say_example(rewards, chosen)
    elif not done:
        _say_versions(versions, chosen)


def _weights(at: Opened, file: Path | None) -> RewardConfig:
    """Return the weights of a file, or the settings'. Raises `SettingsError`."""
    if file is None:
        return at.settings.data.reward
    import yaml
    from pydantic import ValidationError

    from cluster.settings import SettingsError
    from evaluation.rewards import RewardConfig

    try:
        return RewardConfig.model_validate(yaml.safe_load(file.read_text(encoding="utf-8")) or {})
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise SettingsError(
            f"expected a YAML file of weights at {file}, found none that can be read: {error}"
        ) from None
    except ValidationError as error:
        found = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}, found {e['input']!r}" for e in error.errors())
        known = ", ".join(RewardConfig.model_fields)
        raise SettingsError(f"expected weights ({known}) in {file}, found {found}") from None


def _say_example(rewards: tuple[RewardRecord, ...], config: RewardConfig) -> None:
    from cluster.run_text import plain

    out = console()
    if not rewards:
        out.print("This example has no reward: it could not be judged, or `ratchet data reward --recompute` was not run"
                  " yet", highlight=False)  # fmt: skip
        return
    for record in rewards:
        now = " (the weights in force)" if record.version == config.version else ""
        out.print(f"[bold]{record.signal.value:+.3f}[/]  version {record.version}{now}, {record.at:%Y-%m-%d %H:%M}",
                  highlight=False)  # fmt: skip
        table = plain(("component", "−1 … +1", "", "weight"))
        for name in COMPONENTS:
            value = getattr(record.signal, name)
            weight = f"{getattr(config, name):g}" if now else "–"
            shown = ("–", "") if value is None else (f"{value:+.3f}", _bar(value))
            table.add_row(name.replace("_", " "), *shown, weight)
        out.print(table)


def _say_versions(versions: dict[str, int], config: RewardConfig) -> None:
    out = console()
    for version, count in versions.items():
        now = " · the weights in force" if version == config.version else ""
        out.print(f"version {version}: {count} rewards{now}", highlight=False)
    if config.version not in versions:
        out.print(f"version {config.version}, the weights in force: no rewards yet · ratchet data reward --recompute",
                  highlight=False)  # fmt: skip


def _bar(value: float) -> str:
    """Return a bar of ten cells to the left or right of the middle."""
    cells = round(abs(value) * 10)
    return f"{'█' * cells if value < 0 else '':>10}│{'█' * cells if value > 0 else '':<10}"
