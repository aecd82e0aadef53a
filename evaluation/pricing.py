"""What model calls cost, by a versioned table (`evaluation/prices.yaml`, or a file of one's own).

Decisions: a model is priced by its tokens (input, output, and input that the endpoint had in its cache), or, where it
runs on machines of one's own, by the hours that its GPUs were busy with its calls. A table is checked whole, and every
mistake is told with the entry's name. No amount is negative, so no cost is: what is asked with one is an error.
Limits: calls that share a GPU in one batch each count their whole latency, so GPU-hours are an upper bound then.
"""

from __future__ import annotations

import fnmatch
import functools
import glob
import math
from pathlib import Path

import yaml
from pydantic import Field, ValidationError, model_validator

from evaluation.records import Record

SHIPPED = Path(__file__).with_name("prices.yaml")
MS_PER_HOUR = 3_600_000.0


class Price(Record):
    """What a family of models costs: `input` and `output`, or `gpu_hour`."""

    name: str
    """Pattern of model names, as in a shell."""
    input: float | None = None
    """Per million prompt tokens."""
    output: float | None = None
    """Per million output tokens."""
    cached: float | None = None
    """Per million prompt tokens that the endpoint's cache held; None: as `input`."""
    gpu_hour: float | None = None
    """Of one GPU for one hour."""
    gpus: int | None = None
    """GPUs that are busy with one call; None: 1. Only with `gpu_hour`."""

    @model_validator(mode="after")
    def _one_kind(self) -> Price:
        wrong = list(self._mistakes())
        if wrong:
            raise ValueError(f"price of {self.name!r}: {'; '.join(wrong)}")
        return self

    def _mistakes(self) -> list[str]:
        told = {name: getattr(self, name) for name in ("input", "output", "cached", "gpu_hour")}
        given = {name: price for name, price in told.items() if price is not None}
        wrong = [
            f"expected {name} of at least 0, found {price:g}"
            for name, price in given.items()
            if not 0 <= price < math.inf
        ]
        tokens = [name for name in given if name != "gpu_hour"]
        if "gpu_hour" in given and tokens:
            wrong.append(f"expected prices of tokens or gpu_hour, found both ({', '.join(tokens)}); leave one kind out")
        elif "gpu_hour" not in given and not {"input", "output"} <= given.keys():
            wrong.append(f"expected input and output, or gpu_hour, found {', '.join(tokens) or 'neither'}")
        if self.gpus is not None and self.gpus < 1:
            wrong.append(f"expected gpus of at least 1, found {self.gpus}")
        if self.gpus is not None and "gpu_hour" not in given:
            wrong.append("expected gpu_hour beside gpus, found none")
        return wrong

    def of(self, tokens_in: int, tokens_out: int, *, cached: int = 0, latency_ms: float = 0.0) -> float:
        """Return what calls cost that took so much; `cached` of `tokens_in` came out of the endpoint's cache.

        Raises `ValueError` on an amount that is negative or no number, and on more cached tokens than prompt tokens.
        """
        took = {"tokens_in": tokens_in, "tokens_out": tokens_out, "cached": cached, "latency_ms": latency_ms}
        wrong = [f"{name} {amount:g}" for name, amount in took.items() if not 0 <= amount < math.inf]
        if wrong or cached > tokens_in:
            found = ", ".join(wrong) or f"{cached} cached of {tokens_in} prompt tokens"
            raise ValueError(f"expected amounts of at least 0 to price, found {found}; leave such a call out")
        if self.gpu_hour is not None:
            return latency_ms / MS_PER_HOUR * (self.gpus or 1) * self.gpu_hour
        full, less = self.input or 0.0, self.cached if self.cached is not None else self.input or 0.0
        return ((tokens_in - cached) * full + cached * less + tokens_out * (self.output or 0.0)) / 1_000_000

    def most(self, tokens_in: int, tokens_out: int) -> float:
        """Return the most that so many tokens can cost, whatever is cached; 0 where GPU-hours count, not tokens."""
        return max(self.of(tokens_in, tokens_out), self.of(tokens_in, tokens_out, cached=tokens_in))


class PriceTable(Record):
    """Prices that were in force together."""

    version: str
    currency: str
    models: tuple[Price, ...] = Field(min_length=1)
    """The first that matches counts."""

    def price(self, model: str) -> Price:
        """Return the price of a model. Raises `LookupError` where no pattern matches its name."""
        for price in self.models:
            if fnmatch.fnmatchcase(model, price.name):
                return price
        raise LookupError(
            f"expected a price for model {model!r} in price table {self.version}; add it, or a pattern '*'"
        )

    def cost(self, tokens_in: int, tokens_out: int, model: str, *, cached: int = 0, latency_ms: float = 0.0) -> float:
        """Return the cost of a model's calls in the table's currency; `cached` and `latency_ms` as in `Price.of`.

        Raises `LookupError` for a model without a price, and `ValueError` on a negative amount.
        """
        return self.price(model).of(tokens_in, tokens_out, cached=cached, latency_ms=latency_ms)

    def listed(self, model: str) -> Price | None:
        """Return the price that a pattern of its own gives a model; None where only `*`, or nothing, matches."""
        return next((p for p in self.models if p.name != "*" and fnmatch.fnmatchcase(model, p.name)), None)

    def with_price(self, model: str, input: float, output: float, cached: float | None = None) -> PriceTable:
        """Return the table with a price for this one model before all others; its version tells the price."""
        first = Price(name=glob.escape(model), input=input, output=output, cached=cached)
        told = f"{input:g}/{output:g}" + ("" if cached is None else f"/{cached:g}")
        version = f"{self.version}+{model}:{told}"
        return self.model_copy(update={"models": (first, *self.models), "version": version})

    def under_name(self, model: str, name: str) -> PriceTable:
        """Return the table in which `name` costs what `model` does, by a pattern of its own; as it is without one."""
        found = self.listed(model)
        if found is None or model == name:
            return self
        first = found.model_copy(update={"name": glob.escape(name)})
        return self.model_copy(update={"models": (first, *self.models)})


@functools.cache
def load_prices(path: Path = SHIPPED) -> PriceTable:
    """Read a price table. Raises `ValueError` naming the file and all that is wrong in it."""
    try:
        return PriceTable.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except ValidationError as error:
        found = "; ".join(_told(one["loc"], one["msg"]) for one in error.errors())
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        found = " ".join(str(error).split())
    except OSError as error:
        found = error.strerror or str(error)
    raise ValueError(f"expected a price table in {path} (version, currency, models), found: {found}")


def _told(place: tuple[int | str, ...], message: str) -> str:
    said = message.removeprefix("Value error, ")
    return said if said.startswith("price of ") else f"{'.'.join(map(str, place)) or 'the file'}: {said}"


def cost(tokens_in: int, tokens_out: int, model: str) -> float:
    """Return the cost by the shipped table, in its currency."""
    return load_prices().cost(tokens_in, tokens_out, model)
