"""Which client a name on the command line means: `openai:MODEL`, `scripted:FILE`, `replay:FILE`.

All mistakes come in one message. Everything else (`tiny`, a folder, `name:version`) is a local model: `is_client` tells
which is which.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from evaluation.clients.budget import Budget, Budgeted
from evaluation.clients.endpoint import OPENAI_URL, EndpointConfig
from evaluation.clients.journal import RecordingError
from evaluation.clients.replay import Recording, Replay
from evaluation.clients.script import ScriptError, scripted
from evaluation.clients.secrets import Secret, url_mistake
from evaluation.files import DiskError
from evaluation.models import ModelClient
from evaluation.pricing import PriceTable, load_prices

KINDS = ("openai", "scripted", "replay")
KEYS = ("RATCHET_API_KEY", "OPENAI_API_KEY")
"""Variables that hold the endpoint's key; the first that is set counts."""


class ClientError(ValueError):
    """The client that was asked for cannot be made; the message lists every mistake."""


@dataclass(frozen=True)
class ClientOptions:
    """What the command line says of a client. For what a kind of client does not know, None is expected."""

    base_url: str | None = None
    """Of an OpenAI-compatible endpoint; None: OPENAI_BASE_URL, else OpenAI's own. Flag: `--base-url`."""
    stream: bool = False
    """Flag: `--stream`."""
    concurrency: int = 256
    """Flag: `--concurrency`."""
    time_limit_s: float = 120.0
    """For one try. Flag: `--request-seconds`."""
    price_in: float | None = None
    """Per million prompt tokens. Flag: `--price-in`."""
    price_out: float | None = None
    """Per million output tokens. Flag: `--price-out`."""
    record: Path | None = None
    """File to record the calls in. Flag: `--record`."""
    budget: Budget | None = None
    """Shared by all clients of the run. Flag: `--budget`."""


class Resolved(NamedTuple):
    """A client and what it costs."""

    client: ModelClient
    """To be closed with `evaluation.clients.closing.close` in the event loop that used it."""
    prices: PriceTable
    """The table with the price that was given; for `Scales.prices`."""
    notes: tuple[str, ...]
    """What its user should know: a price that nobody told, lines of a recording that were passed over."""


def is_client(spec: str) -> bool:
    """Whether a name means a client of this file, and no local model."""
    return spec.partition(":")[0] in KINDS and ":" in spec


def client_for(
    spec: str,
    options: ClientOptions | None = None,
    *,
    prices: PriceTable | None = None,
    env: Mapping[str, str] | None = None,
) -> Resolved:
    """Return the client that `spec` names. Raises `ClientError` with every mistake; no message holds a key."""
    options, env = options or ClientOptions(), os.environ if env is None else env
    kind, _, rest = spec.partition(":")
    table = prices or load_prices()
    mistakes = [] if is_client(spec) else [f"--model: expected {' or '.join(f'{k}:…' for k in KINDS)}, found {spec!r}"]
    if is_client(spec) and not rest:
        mistakes.append(f"--model: expected {kind}:{'MODEL' if kind == 'openai' else 'FILE'}, found no name after it")
    mistakes += _of_options(kind, options)
    if kind == "openai" and rest:
        mistakes += _of_endpoint(options, env)
        mistakes += _of_price(rest, options, table)
    if mistakes:
        raise ClientError("\n".join(mistakes))
    client = _made(kind, rest, options, env)
    if options.price_in is not None and options.price_out is not None:
        table = table.with_price(client.name, options.price_in, options.price_out)
    return Resolved(_wrapped(client, options, table), table, _notes(kind, client, table))


def _of_options(kind: str, options: ClientOptions) -> list[str]:
    wrong = []
    if kind != "openai" and options.base_url is not None:
        wrong.append("--base-url: only an openai: model has an address; leave it out")
    if options.record is not None and kind == "replay":
        wrong.append("--record: a replayed run is recorded already; leave it out")
    if (options.price_in is None) != (options.price_out is None):
        wrong.append("--price-in, --price-out: expected both, per million tokens, found one")
    for flag, price in (("--price-in", options.price_in), ("--price-out", options.price_out)):
        if price is not None and not 0 <= price < float("inf"):
            wrong.append(f"{flag}: expected a price of at least 0 per million tokens, found {price:g}")
    if options.concurrency < 1:
        wrong.append(f"--concurrency: expected at least 1, found {options.concurrency}")
    if options.time_limit_s <= 0:
        wrong.append(f"--request-seconds: expected more than 0, found {options.time_limit_s:g}")
    return wrong


def _address(options: ClientOptions, env: Mapping[str, str]) -> str:
    return options.base_url or env.get("OPENAI_BASE_URL") or OPENAI_URL


def _key(env: Mapping[str, str]) -> Secret:
    return Secret(next((env[name].strip() for name in KEYS if env.get(name, "").strip()), ""))


def _of_endpoint(options: ClientOptions, env: Mapping[str, str]) -> list[str]:
    place = "--base-url" if options.base_url is not None else "OPENAI_BASE_URL"
    wrong = []
    if mistake := url_mistake(_address(options, env)):
        wrong.append(f"{place}: {mistake}")
    elif _address(options, env).startswith(OPENAI_URL) and not _key(env):
        wrong.append(
            f"{' or '.join(KEYS)}: expected a key for {OPENAI_URL}, found none; set one, or give another --base-url"
        )
    if not _key(env).reveal().isascii() or not _key(env).reveal().isprintable():
        wrong.append(f"{' or '.join(KEYS)}: expected printable ASCII characters in a key, found others")
    return wrong


def _of_price(model: str, options: ClientOptions, table: PriceTable) -> list[str]:
    """A budget in money means nothing at a price that nobody told."""
    told = options.price_in is not None or table.listed(model) is not None
    if options.budget is None or options.budget.money is None or told:
        return []
    return [
        f"--budget: expected a price of {model} to reckon with, found none in price table {table.version}; give"
        " --price-in and --price-out, per million tokens"
    ]


def _made(kind: str, rest: str, options: ClientOptions, env: Mapping[str, str]) -> ModelClient:
    try:
        if kind == "scripted":
            return scripted(Path(rest).expanduser())
        if kind == "replay":
            name, _, model = rest.partition("#")
            return Replay(Path(name).expanduser(), model or None)
    except (RecordingError, ScriptError) as error:
        raise ClientError(f"--model: {error}") from error
    # Here, not above: the library takes a second to import, and nothing else needs it.
    from evaluation.clients.openai import OpenAIModel

    return OpenAIModel(
        EndpointConfig(
            model=rest,
            base_url=_address(options, env),
            key=_key(env),
            stream=options.stream,
            concurrency=options.concurrency,
            time_limit_s=options.time_limit_s,
        )
    )


def _wrapped(client: ModelClient, options: ClientOptions, table: PriceTable) -> ModelClient:
    """Put budget and recording around the client: what is in the recording already costs nothing."""
    if options.budget is not None:
        try:
            price = table.price(client.name)
        except LookupError as error:
            raise ClientError(f"--budget: {error}") from error
        client = Budgeted(client, options.budget, price)
    if options.record is None:
        return client
    try:
        return Recording(client, options.record.expanduser())
    except (RecordingError, DiskError) as error:
        raise ClientError(f"--record: {error}") from error


def _notes(kind: str, client: ModelClient, table: PriceTable) -> tuple[str, ...]:
    if isinstance(client, Replay) and client.journal.torn:
        return (f"{client.journal.path}: {client.journal.torn} unfinished line(s) of a killed writer were passed over",)
    if kind == "openai" and table.listed(client.name) is None:
        return (
            f"no price of {client.name} is known: costs are reckoned at the rate of local models;"
            " give --price-in and --price-out, per million tokens",
        )
    return ()
