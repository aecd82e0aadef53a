"""What the examples come to: counts, sums and histograms, reckoned by the database.

Decisions: each figure is one statement over the columns of `examples`, which SQLite reads from one index, past the
bodies; the same statements on both databases. Latencies are sorted here, since SQLite has no quantiles; a million of
them are 8 MB. Imbalance is 1 − H/log k, where H is the entropy of the shares and k how many there are: 0 where all are
as frequent, towards 1 where one is nearly all (Pielou 1966, evenness, doi:10.1016/0022-5193(66)90013-0).
"""

from __future__ import annotations

import json
import math
from array import array
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from itertools import pairwise
from typing import Any, NamedTuple

from pydantic import Field
from sqlalchemy import Connection, Float, Select, Text, case, cast, func, literal, select, text
from sqlalchemy.orm import InstrumentedAttribute

from evaluation.ledger.filters import conditions, latest_ratings
from evaluation.ledger.part import Part
from evaluation.ledger.records import ExampleFilter
from evaluation.ledger.schema import ExampleRow
from evaluation.records import Record

QUANTILES = (0.5, 0.9, 0.95, 0.99)
QUALITY_BINS = tuple(number / 2 for number in range(11))
"""Edges of the histogram of response quality."""
CONFIDENCE_BINS = tuple(number / 10 for number in range(11))
RATING_BINS = tuple(number / 2 for number in range(2, 11))
_SHARES: Mapping[str, InstrumentedAttribute[Any]] = {
    "task_key": ExampleRow.task_key,
    "source": ExampleRow.source,
    "model_version": ExampleRow.model_version,
    "error_kind": ExampleRow.error_kind,
    "success": ExampleRow.success,
    "correct_tool_selection": ExampleRow.correct_tool_selection,
}
NONE = "none"
"""How examples that have no value are named."""


class StorageConfig(Record):
    """What it costs to keep the data."""

    price_gb_month: float = Field(default=0.023, ge=0)
    """Price of a GB (10⁹ bytes) for a month, in the currency of the price table. The default is that of S3 Standard,
    the first 50 TB, in us-east-1 (https://aws.amazon.com/s3/pricing/, in USD)."""


class Histogram(Record):
    """How many values lie between one edge and the next; the last includes its upper edge."""

    edges: tuple[float, ...]
    counts: tuple[int, ...]
    missing: int
    """Examples without a value."""
    mean: float | None


class DataStatistics(Record):
    """What the examples come to."""

    examples: int
    first: datetime | None
    last: datetime | None
    shares: dict[str, dict[str, int]]
    """Examples by task key, source, model version, kind of error, success and right tools, the most frequent first;
    `none` where they have none."""
    tools: dict[str, int]
    """Examples in which a tool was called, by tool."""
    without_tools: int
    imbalance: dict[str, float | None]
    """Of `tools`, `task_key` and `source`, 0…1; None where there are fewer than two."""
    quality: Histogram
    confidence: Histogram
    ratings: Histogram
    """Of the mean ratings of rated examples."""
    latency_ms: dict[str, float]
    """By quantile: `p50`, `p90`, `p95`, `p99`."""
    tokens_in: int
    tokens_out: int
    cost: float
    bytes: int
    """Of all bodies, as JSON."""
    by_day: dict[date, int]
    """Examples by the day that they are of, UTC; days without one are left out."""

    def by_week(self) -> dict[date, int]:
        """Return the examples by week, each named by its Monday."""
        weeks: Counter[date] = Counter()
        for day, count in self.by_day.items():
            weeks[date.fromordinal(day.toordinal() - day.weekday())] += count
        return dict(weeks)


class Statistics(Part):
    """The ledger's verb for statistics."""

    def database_bytes(self) -> int:
        """Return what the database takes on disk, tables and indexes of all kinds of rows together."""
        with self._database.read() as connection:
            if connection.dialect.name == "postgresql":
                return int(connection.scalar(text("SELECT pg_database_size(current_database())")) or 0)
            pages, size = (connection.scalar(text(f"PRAGMA {name}")) or 0 for name in ("page_count", "page_size"))
            return int(pages * size)

    def statistics(self, wanted: ExampleFilter | None = None) -> DataStatistics:
        """Return what the examples that match come to; the filter's limit does not count."""
        among = (wanted or ExampleFilter()).model_copy(update={"limit": None})
        with self._database.read() as connection:
            total = connection.execute(_totals(among)).one()
            shares = _shares(connection, among)
            tools = _tools(connection, among)
            return DataStatistics(
                examples=total.examples,
                first=total.first,
                last=total.last,
                shares=shares,
                tools=tools.by_name,
                without_tools=total.examples - tools.calling,
                imbalance={
                    "tools": imbalance(tools.by_name),
                    **{name: imbalance(shares[name]) for name in ("task_key", "source")},
                },
                quality=_histogram(total, "quality", QUALITY_BINS),
                confidence=_histogram(total, "confidence", CONFIDENCE_BINS),
                ratings=_ratings(connection, among, total.examples),
                latency_ms=_latencies(connection, among),
                tokens_in=total.tokens_in or 0,
                tokens_out=total.tokens_out or 0,
                cost=total.cost or 0.0,
                bytes=total.bytes or 0,
                by_day=_days(connection, among),
            )


def imbalance(counts: Mapping[str, int]) -> float | None:
    """Return 1 − H/log k of these counts; None where fewer than two things are counted."""
    total = sum(counts.values())
    shares = [count / total for count in counts.values() if count]
    if len(shares) < 2:
        return None
    entropy = -sum(share * math.log(share) for share in shares)
    return max(0.0, 1 - entropy / math.log(len(shares)))


def _read(among: ExampleFilter, *columns: Any) -> Select[Any]:
    return select(*columns).select_from(ExampleRow).where(*conditions(among))


def _totals(among: ExampleFilter) -> Select[Any]:
    """Return the query for sums and histograms: all that one pass can count."""
    sums = [func.sum(getattr(ExampleRow, name)).label(name) for name in ("tokens_in", "tokens_out", "cost", "bytes")]
    return _read(
        among,
        func.count().label("examples"),
        func.min(ExampleRow.timestamp).label("first"),
        func.max(ExampleRow.timestamp).label("last"),
        *sums,
        *_bins(ExampleRow.response_quality, "quality", QUALITY_BINS),
        *_bins(ExampleRow.validation_confidence, "confidence", CONFIDENCE_BINS),
    )


def _bins(column: Any, name: str, edges: Sequence[float]) -> Iterator[Any]:
    for at, (low, high) in enumerate(pairwise(edges)):
        below = column <= high if high == edges[-1] else column < high
        yield func.sum(case(((column >= low) & below, 1), else_=0)).label(f"{name}_{at}")
    yield func.avg(column).label(f"{name}_mean")


def _histogram(row: Any, name: str, edges: Sequence[float]) -> Histogram:
    counts = tuple(int(getattr(row, f"{name}_{at}") or 0) for at in range(len(edges) - 1))
    mean = getattr(row, f"{name}_mean")
    missing = row.examples - sum(counts)
    return Histogram(edges=tuple(edges), counts=counts, missing=missing, mean=None if mean is None else float(mean))


def _shares(connection: Connection, among: ExampleFilter) -> dict[str, dict[str, int]]:
    """Count by all columns at once, since each further pass costs as much as the first."""
    found: dict[str, Counter[str]] = {name: Counter() for name in _SHARES}
    columns = list(_SHARES.values())
    for *values, count in connection.execute(_read(among, *columns, func.count()).group_by(*columns)):
        for name, value in zip(_SHARES, values, strict=True):
            found[name][_named(value)] += count
    return {name: _ranked(counts) for name, counts in found.items()}


def _named(value: object) -> str:
    if value is None:
        return NONE
    return str(value) if not isinstance(value, bool) else "yes" if value else "no"


def _ranked(counts: Mapping[str, int]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


class _Tools(NamedTuple):
    by_name: dict[str, int]
    calling: int
    """Examples that call any."""


def _tools(connection: Connection, among: ExampleFilter) -> _Tools:
    calling, by_name = 0, Counter[str]()
    query = _read(among, ExampleRow.tools_used, func.count()).group_by(ExampleRow.tools_used)
    for listed, count in connection.execute(query):
        names = json.loads(listed)
        calling += count if names else 0
        by_name.update(dict.fromkeys(names, count))
    return _Tools(_ranked(by_name), calling)


def _ratings(connection: Connection, among: ExampleFilter, total: int) -> Histogram:
    said = latest_ratings().subquery()
    each = (
        select(func.avg(cast(said.c.rating, Float)).label("mean"))
        .join(ExampleRow, ExampleRow.id == said.c.example_id)
        .where(*conditions(among))
        .group_by(said.c.example_id)
        .subquery()
    )
    row = connection.execute(select(literal(total).label("examples"), *_bins(each.c.mean, "rating", RATING_BINS))).one()
    return _histogram(row, "rating", RATING_BINS)


def _latencies(connection: Connection, among: ExampleFilter) -> dict[str, float]:
    values = array("d")
    rows = connection.execution_options(yield_per=10_000).execute(_read(among, ExampleRow.latency_ms))
    for part in rows.scalars().partitions():
        values.extend(part)
    ordered = sorted(values)
    if not ordered:
        return {}
    return {f"p{round(100 * q)}": ordered[min(len(ordered) - 1, int(q * len(ordered)))] for q in QUANTILES}


def _days(connection: Connection, among: ExampleFilter) -> dict[date, int]:
    # Both databases write a time as text so that it begins with its day.
    day = func.substr(cast(ExampleRow.timestamp, Text), 1, 10)
    query = _read(among, day, func.count()).group_by(day).order_by(day)
    return {date.fromisoformat(found): count for found, count in connection.execute(query)}
