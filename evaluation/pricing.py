"""What tokens cost, by a versioned table (`evaluation/prices.yaml`, or a file of one's own)."""

from __future__ import annotations

import fnmatch
import functools
import glob
from pathlib import Path

import yaml
from pydantic import Field, ValidationError

from evaluation.records import Record

SHIPPED = Path(__file__).with_name("prices.yaml")


class Price(Record):
    """What a family of models costs."""

    name: str
    """Pattern of model names, as in a shell."""
    input: float = Field(ge=0)
    """Per million prompt tokens."""
    output: float = Field(ge=0)
    """Per million output tokens."""

    def of(self, tokens_in: int, tokens_out: int) -> float:
        """Return what so many tokens cost."""
        return (tokens_in * self.input + tokens_out * self.output) / 1_000_000


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

    def cost(self, tokens_in: int, tokens_out: int, model: str) -> float:
        """Return the cost in the table's currency. Raises `LookupError` for a model without a price."""
        return self.price(model).of(tokens_in, tokens_out)

    def listed(self, model: str) -> Price | None:
        """Return the price that a pattern of its own gives a model; None where only `*`, or nothing, matches."""
        return next((p for p in self.models if p.name != "*" and fnmatch.fnmatchcase(model, p.name)), None)

    def with_price(self, model: str, input: float, output: float) -> PriceTable:
        """Return the table with a price for this one model before all others; its version tells the price."""
        first = Price(name=glob.escape(model), input=input, output=output)
        version = f"{self.version}+{model}:{input:g}/{output:g}"
        return self.model_copy(update={"models": (first, *self.models), "version": version})


@functools.cache
def load_prices(path: Path = SHIPPED) -> PriceTable:
    """Read a price table. Raises `ValueError` naming the file and what is wrong in it."""
    try:
        return PriceTable.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (yaml.YAMLError, ValidationError, UnicodeDecodeError) as error:
        raise ValueError(f"expected a price table in {path} (version, currency, models), found: {error}") from error


def cost(tokens_in: int, tokens_out: int, model: str) -> float:
    """Return the cost by the shipped table, in its currency."""
    return load_prices().cost(tokens_in, tokens_out, model)
