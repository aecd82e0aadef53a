"""Record what a model answered, and answer from the record: the same bytes, no call.

Decisions: a request is known by model, messages, tools and sampling, so one request has one answer: while recording,
what was asked before is answered from the file, and what is being asked is asked once. So a replayed run gets exactly
what the recorded one got, in whatever order it asks, and a recording that was stopped goes on. Errors are recorded too
and raised again; those that may have passed (`retry.PASSING`, a spent budget) are asked again by the next recording.
When replaying, a request that is not in the file is an error of kind `no_answer`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from evaluation.clients.closing import close
from evaluation.clients.journal import Journal, Recorded, RecordingError, key_of
from evaluation.clients.retry import PASSING
from evaluation.files import DiskError
from evaluation.models import Completion, ModelClient, ModelError, ModelErrorKind, Sampling, UnfitPrompt
from evaluation.records import Message, ToolSpec

_ASKED_AGAIN = PASSING | {kind for kind in ModelErrorKind if kind.ends_run}


class Recording:
    """Asks a client and records what it answers. Several may share one `Journal`."""

    def __init__(self, client: ModelClient, path: str | Path | Journal) -> None:
        """Raises `RecordingError` where the file holds something else, `DiskError` where it cannot be written."""
        self._client = client
        self._own = not isinstance(path, Journal)
        self.journal = path if isinstance(path, Journal) else Journal(Path(path), write=True)
        self._asking: dict[str, asyncio.Future[Recorded]] = {}

    @property
    def name(self) -> str:
        return self._client.name

    @property
    def template_hash(self) -> str:
        return self._client.template_hash

    async def complete(self, messages: Sequence[Message], tools: Sequence[ToolSpec], sampling: Sampling) -> Completion:
        """Return the next assistant turn, written by then. Raises `ModelError`."""
        key = key_of(self.name, messages, tools, sampling)
        known = _read(self.journal, key)
        if known is not None and known.error_kind not in _ASKED_AGAIN:
            return _told(known)
        if key in self._asking:
            return _told(await asyncio.shield(self._asking[key]))
        answer = self._asking[key] = asyncio.get_running_loop().create_future()
        try:
            call = Recorded(key=key, model=self.name, messages=tuple(messages), tools=tuple(tools), sampling=sampling,
                            template_hash=self.template_hash)  # fmt: skip
            call = call.model_copy(update=await self._asked(call))
            self.journal.add(call)
            answer.set_result(call)
        except DiskError as error:
            answer.set_exception(ModelError(str(error)))
            answer.exception()
            raise ModelError(str(error)) from error
        except BaseException as error:
            answer.set_exception(ModelError(f"the same request failed elsewhere: {type(error).__name__}"))
            answer.exception()  # perhaps nobody waits for it
            raise
        finally:
            del self._asking[key]
        return _told(call)

    async def _asked(self, call: Recorded) -> dict[str, object]:
        try:
            return {"completion": await self._client.complete(call.messages, call.tools, call.sampling)}
        except ModelError as error:
            return {"error": str(error.args[0]), "error_kind": error.kind}

    def close(self) -> None:
        """Close the file, unless it is shared, and the client."""
        if self._own:
            self.journal.close()
        close(self._client)


class Replay:
    """Answers from a recording."""

    def __init__(self, path: str | Path | Journal, model: str | None = None) -> None:
        """`model` is needed where the recording holds several. Raises `RecordingError`."""
        self.journal = path if isinstance(path, Journal) else Journal(Path(path), write=False)
        models = self.journal.models
        if not models or (model is None and len(models) > 1) or (model is not None and model not in models):
            held = ", ".join(sorted(models)) or "no calls at all"
            wanted = f"calls of {model}" if model is not None else "calls of one model"
            raise RecordingError(f"expected {wanted} in {self.journal.path}, found {held}; name one as FILE#MODEL")
        self._name = model or next(iter(models))

    @property
    def name(self) -> str:
        return self._name

    @property
    def template_hash(self) -> str:
        return self.journal.models[self._name]

    async def complete(self, messages: Sequence[Message], tools: Sequence[ToolSpec], sampling: Sampling) -> Completion:
        """Return what was recorded. Raises `ModelError`: the recorded one, or one of kind `no_answer`."""
        known = _read(self.journal, key_of(self._name, messages, tools, sampling))
        if known is None:
            last = messages[-1].content[:80] if messages else ""
            raise ModelError(
                f"{self.journal.path} holds no answer of {self._name} to this request (seed {sampling.seed}, "
                f"{len(messages)} messages, {len(tools)} tools, the last: {last!r}); record it",
                ModelErrorKind.NO_ANSWER,
            )
        return _told(known)

    def close(self) -> None:
        """Close the file."""
        self.journal.close()


def _read(journal: Journal, key: str) -> Recorded | None:
    try:
        return journal.get(key)
    except (RecordingError, OSError) as error:  # the file was changed, or closed, under our feet
        raise ModelError(f"{journal.path} can no longer be read: {error}") from error


def _told(call: Recorded) -> Completion:
    if call.completion is not None:
        return call.completion
    if call.error_kind is ModelErrorKind.UNFIT_PROMPT:
        raise UnfitPrompt(call.error or "")
    raise ModelError(call.error or "no message was recorded", call.error_kind)
