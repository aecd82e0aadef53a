"""Carry out the rules on how long examples are kept (`training/privacy/retention.py`), and write down what they did."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from pydantic import JsonValue

from cluster.forgetting import Seen, keep_ids
from cluster.home import Home
from evaluation.ledger import Ledger
from evaluation.ledger.collected import PrivacyEvent
from evaluation.records import stable_id
from training.privacy.config import RetentionConfig
from training.privacy.retention import RetentionRule, cutoffs, retention_rules
from training.privacy.snapshot_forgetting import ids_in_version


def rules_now(
    ledger: Ledger, config: RetentionConfig, versions: Iterable[Seen], now: datetime | None = None
) -> list[RetentionRule]:
    """Return what each rule would delete now."""
    at = now or datetime.now(UTC)
    expired = {source: ledger.ids_before(source, before) for source, before in cutoffs(config, at).items()}
    return retention_rules(
        config,
        at,
        expired=expired,
        pinned=ledger.pinned_example_ids(),
        in_production=_ids_in_production(ledger, versions) if any(expired.values()) else set(),
    )


def enforce(home: Home, ledger: Ledger, rules: Iterable[RetentionRule], by: str) -> dict[str, dict[str, int]]:
    """Delete what the rules say, with tombstones; add a line to the trail for each rule; return rows by rule, table.

    Whose the deleted ids were is kept by hash, since a snapshot may still hold what was made of them: without that
    nobody could be forgotten there.
    """
    done = {}
    for rule in rules:
        if not rule.ids:
            continue
        for user_hash, ids in ledger.ids_by_user(rule.ids).items():
            keep_ids(home, user_hash, ids)
        counts = ledger.forget_rows(rule.ids, None, ())
        now = datetime.now(UTC)
        detail: dict[str, JsonValue] = {
            "deleted": dict(counts),
            "before": rule.before.isoformat(),
            "ids_digest": rule.digest,
            "kept_pinned": rule.pinned,
            "kept_in_production": rule.in_production,
        }
        ledger.add_privacy_event(
            PrivacyEvent(
                id=stable_id("retention", rule.name, rule.digest, now.isoformat()),
                kind="retention",
                subject=rule.name,
                by=by,
                at=now,
                detail=detail,
            )
        )
        done[rule.name] = counts
    if done:
        ledger.give_pages_back()
    return done


def _ids_in_production(ledger: Ledger, versions: Iterable[Seen]) -> set[str]:
    """Return the ids of the examples in the snapshots of what is in production."""
    live = ledger.versions_in_production()
    ids: set[str] = set()
    for one in versions:
        path, at, version = one.snapshot.partition("#")[0].rpartition("@")
        if one.ref in live and at and version.isdecimal():
            ids |= ids_in_version(Path(path), int(version))
    return ids
