"""The flags that say which examples are meant, the same for every command that reads the ledger.

A command takes them by `@filter_flags` and an argument `flags: FilterFlags`, in whose place the flags stand on the
command line; `flags.filter()` is what the ledger understands. Times are UTC where they name no zone.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from functools import wraps
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

from evaluation.records import Source

if TYPE_CHECKING:
    from evaluation.ledger import ExampleFilter

_TIMES = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S%z", "%Y-%m-%dT%H:%M:%S.%f%z"]
_PANEL = "Which examples"


def _flag(help_text: str, *names: str, **more: Any) -> Any:
    return typer.Option(*names, help=help_text, rich_help_panel=_PANEL, **more)


@dataclass(frozen=True)
class FilterFlags:
    """What the command line says of the examples that are meant. Each field is a flag."""

    task_key: Annotated[str | None, _flag("Only examples of this kind of decision.")] = None
    source: Annotated[list[Source] | None, _flag("Only of this source; may be given again.")] = None
    run: Annotated[list[str] | None, _flag("Only of this run; may be given again.")] = None
    part: Annotated[list[str] | None, _flag("Only of this part of the suite; may be given again.")] = None
    scenario: Annotated[str | None, _flag("Only of this scenario.")] = None
    version: Annotated[str | None, _flag("Only of this version of a model, as `name:3`.")] = None
    variant: Annotated[str | None, _flag("Only of this variant, in production.")] = None
    stage: Annotated[int | None, _flag("Only of this stage of a rollout, from 0.")] = None
    user_hash: Annotated[str | None, _flag("Only of the user with this hash.")] = None
    conversation: Annotated[str | None, _flag("Only of this conversation.")] = None
    since: Annotated[datetime | None, _flag("From this time on (UTC).", formats=_TIMES, metavar="TIME")] = None
    until: Annotated[datetime | None, _flag("Before this time (UTC).", formats=_TIMES, metavar="TIME")] = None
    success: Annotated[bool | None, _flag("Only what succeeded, or failed.", "--success/--failed")] = None
    correct_tools: Annotated[
        bool | None, _flag("Only where the right tools were chosen, or others.", "--correct-tools/--wrong-tools")
    ] = None
    min_quality: Annotated[float | None, _flag("Least response quality.", min=0, max=5)] = None
    max_quality: Annotated[float | None, _flag("Greatest response quality.", min=0, max=5)] = None
    min_confidence: Annotated[float | None, _flag("Least validation confidence.", min=0, max=1)] = None
    max_confidence: Annotated[float | None, _flag("Greatest validation confidence.", min=0, max=1)] = None
    min_reward: Annotated[float | None, _flag("Least reward.", min=-1, max=1)] = None
    max_reward: Annotated[float | None, _flag("Greatest reward.", min=-1, max=1)] = None
    min_rating: Annotated[float | None, _flag("Least mean rating by people.", min=1, max=5)] = None
    tool: Annotated[str | None, _flag("Only where this tool was called.")] = None
    error_kind: Annotated[str | None, _flag("Only where the first failure is of this kind: `tool_error`, …")] = None
    limit: Annotated[int | None, _flag("At most so many.", min=0)] = None

    def filter(self) -> ExampleFilter:
        """Return the filter. Raises `SettingsError` where no time lies between the two that are given."""
        from cluster.settings import SettingsError
        from evaluation.ledger import ExampleFilter

        if self.since is not None and self.until is not None and self.since >= self.until:
            raise SettingsError(f"--until: expected a time after --since ({self.since}), found {self.until}")
        return ExampleFilter(
            task_key=self.task_key,
            sources=tuple(self.source) if self.source else None,
            run_ids=tuple(self.run) if self.run else None,
            parts=tuple(self.part) if self.part else None,
            scenario_id=self.scenario,
            model_version=self.version,
            variant=self.variant,
            stage=self.stage,
            user_hash=self.user_hash,
            conversation=self.conversation,
            since=_utc(self.since),
            until=_utc(self.until),
            success=self.success,
            correct_tool_selection=self.correct_tools,
            min_confidence=self.min_confidence,
            max_confidence=self.max_confidence,
            min_quality=self.min_quality,
            max_quality=self.max_quality,
            min_reward=self.min_reward,
            max_reward=self.max_reward,
            min_rating=self.min_rating,
            tool=self.tool,
            error_kind=self.error_kind,
            limit=self.limit,
        )


def filter_flags(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the flags in place of its argument `flags`, which it must be able to take by name."""
    names = [field.name for field in fields(FilterFlags)]
    hints = get_type_hints(command, include_extras=True)
    flag_hints = get_type_hints(FilterFlags, include_extras=True)

    @wraps(command)
    def filtered(**given: Any) -> None:
        flags = FilterFlags(**{name: given.pop(name) for name in names})
        command(flags=flags, **given)

    keyword = inspect.Parameter.KEYWORD_ONLY
    own = [
        parameter.replace(annotation=hints[name], kind=keyword)
        for name, parameter in inspect.signature(command).parameters.items()
        if name != "flags"
    ]
    added = [
        inspect.Parameter(field.name, keyword, default=field.default, annotation=flag_hints[field.name])
        for field in fields(FilterFlags)
    ]
    del filtered.__dict__["__wrapped__"]  # Typer would follow it past the flags
    filtered.__signature__ = inspect.Signature([*own, *added])  # type: ignore[attr-defined]
    filtered.__annotations__ = {parameter.name: parameter.annotation for parameter in [*own, *added]}
    return filtered


def _utc(time: datetime | None) -> datetime | None:
    return time if time is None or time.tzinfo is not None else time.replace(tzinfo=UTC)
