"""What answers for a registered version: weights in a folder of ours, or a model behind an endpoint of somebody's.

Decisions: one discriminated record, kept with the version, so that whoever opens a version asks its `kind` once. An
endpoint's key is never part of it: only the name of the variable that holds it is.
Not covered: what an endpoint does under a model's name. It may change without a word; the registry pins the name only.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import Field, field_validator

from evaluation.clients.secrets import url_mistake
from evaluation.records import Record

ENDPOINT_FILE = "endpoint.json"
"""The file of an endpoint's version, in place of weights."""
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")


class WeightsEngine(Record):
    """The version's folder, run by the local engine."""

    kind: Literal["weights"] = "weights"


class EndpointEngine(Record):
    """A model behind an OpenAI-compatible endpoint."""

    kind: Literal["endpoint"] = "endpoint"
    base_url: str
    """Without credentials."""
    model: str = Field(min_length=1)
    """As the endpoint names it."""
    key_variable: str = ""
    """Environment variable that holds the key; empty: those that every `openai:` model is asked with."""

    @field_validator("base_url")
    @classmethod
    def _is_url(cls, value: str) -> str:
        if mistake := url_mistake(value):
            raise ValueError(mistake)
        return value

    @field_validator("key_variable")
    @classmethod
    def _is_name(cls, value: str) -> str:
        if value and not _VARIABLE.fullmatch(value):
            # What was given may be the key itself, so it is not repeated.
            raise ValueError(
                "expected the name of an environment variable, such as OPENAI_API_KEY, found something else; the key"
                " itself is never given here, nor kept"
            )
        return value


Engine = Annotated[WeightsEngine | EndpointEngine, Field(discriminator="kind")]
