"""From answered requests to examples, and from the spool to the ledger.

The requests of one user query (call, result, answer) make one example: its id is that of conversation and query, and
what a later request adds replaces the shorter one. Users are kept as a keyed hash only.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from evaluation.conversation_checks import failure_of
from evaluation.ledger import Ledger
from evaluation.models import Completion
from evaluation.pricing import PriceTable
from evaluation.records import Example, Labels, Message, Metrics, Provenance, Source, ToolSpec, stable_id
from evaluation.rewards import RewardConfig, with_reward
from serving.spool import Spool

QUIET_S = 30.0
"""Seconds after which nothing more is expected of an exchange whose conversation was not said to have ended."""
REPORTED = 0.8
"""Confidence in an outcome that the asking side reports: enough to learn from, less than a validator's own look."""


def home_secret(path: Path) -> bytes:
    """Return the key that user ids are hashed with; made once, readable by its owner only."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f".{path.name}-{secrets.token_hex(4)}")
        with open(draft, "x", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
            file.write(secrets.token_hex(32))
        with contextlib.suppress(FileExistsError):  # another process was faster: its key holds
            os.link(draft, path)
        draft.unlink()
    return bytes.fromhex(path.read_text().strip())


def user_hash(secret: bytes, user: str) -> str:
    """Return the keyed hash of a user's id (HMAC-SHA256, 24 hex digits)."""
    return hmac.new(secret, user.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()[:24]


@dataclass(frozen=True)
class Asked:
    """What one request was about."""

    example_id: str
    """Of the example that it becomes."""
    run_id: str
    """The rollout, or whatever else the gateway serves for."""
    conversation: str
    task_key: str
    user: str | None
    """Already hashed."""
    version: str
    stage: int | None
    """None where the request named its version."""
    seed: int


def example_id(run_id: str, conversation: str, messages: Sequence[Message]) -> str:
    """Return the first id of the exchange that `messages` belong to: conversation and number of the user's query."""
    return stable_id("production", run_id, conversation, sum(m.role == "user" for m in messages))


def exchange(
    messages: Sequence[Message], tools: Sequence[ToolSpec], completion: Completion, *, asked: Asked, prices: PriceTable
) -> Example:
    """Return the example of an answered request, as far as the exchange has gone."""
    whole = (*messages, completion.message)
    last_user = max((n for n, m in enumerate(messages) if m.role == "user"), default=0)
    context = "\n".join(m.content for m in messages[:last_user] if m.role in ("system", "user", "assistant"))
    return Example(
        id=asked.example_id,
        task_key=asked.task_key,
        query=messages[last_user].content,
        context=context,
        user_hash=asked.user,
        conversation=asked.conversation,
        timestamp=datetime.now(UTC),
        messages=whole,
        tools=tuple(tools),
        response=completion.message.content,
        error=f"malformed_output: {completion.malformed}" if completion.malformed else None,
        tools_used=tuple(dict.fromkeys(c.name for m in whole[last_user:] for c in m.tool_calls)),
        labels=Labels(),
        metrics=Metrics(
            latency_ms=completion.latency_ms,
            tokens_in=completion.tokens_in,
            tokens_out=completion.tokens_out,
            cost=prices.cost(
                completion.tokens_in,
                completion.tokens_out,
                asked.version,
                cached=completion.tokens_cached,
                latency_ms=completion.latency_ms,
            ),
            model_calls=1,
            price_version=prices.version,
        ),
        provenance=Provenance(
            source=Source.PRODUCTION,
            run_id=asked.run_id,
            model_version=asked.version,
            variant=asked.version,
            stage=asked.stage,
            seed=asked.seed,
            template_hash=completion.template_hash,
        ),
    )


def flush(
    spool: Spool,
    ledger: Ledger,
    batch: int = 200,
    quiet_s: float = QUIET_S,
    *,
    rewards: RewardConfig | None = None,
) -> int:
    """Move what has ended from the spool to the ledger; return the number of new examples. Idempotent.

    `quiet_s`: seconds without a request after which an exchange counts as ended; 0 moves everything. `rewards`: the
    weights of an example's reward, where its outcome was reported; None: the default ones.
    """
    written = 0
    while rows := spool.finished_exchanges(batch, quiet_s):
        examples = [_labelled(example, success, rewards) for _, _, success, example in rows]
        written += ledger.write_examples(examples, origin="gateway").new
        spool.mark_flushed([(i, revision) for i, revision, _, _ in rows])
    feedback = list(spool.waiting_feedback(10_000))
    for item in feedback:
        ledger.add_feedback(item)
    spool.mark_feedback([item.id for item in feedback])
    return written


def _labelled(example: Example, success: bool | None, rewards: RewardConfig | None) -> Example:
    """Return the example with the outcome that was reported, and its reward; nobody has judged its quality yet.

    What users really asked and were answered is kept as it was; a conversation that would be refused by an import is
    marked by its `error`.
    """
    labels = Labels() if success is None else Labels(success=success, validation_confidence=REPORTED)
    error = example.error if example.error is not None else failure_of(example)
    return with_reward(example.model_copy(update={"labels": labels, "error": error}), rewards)
