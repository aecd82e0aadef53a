"""Which client a name on the command line means: `openai:MODEL`, `scripted:FILE`, `replay:FILE`.

All mistakes come in one message. Everything else (`tiny`, a folder, `name:version`) is a local model: `is_client` tells
which is which.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from evaluation.clients.closing import close
from evaluation.clients.endpoint import OPENAI_URL, EndpointConfig
from evaluation.clients.journal import RecordingError
from evaluation.clients.replay import Recording, Replay
from evaluation.clients.script import ScriptError, scripted
from evaluation.clients.secrets import Secret, url_mistake
from evaluation.files import DiskError
from evaluation.models import ModelClient
from evaluation.pricing import PriceTable, load_prices
from evaluation.records import Record

KINDS = ("openai", "scripted", "replay")
KEYS = ("RATCHET_API_KEY", "OPENAI_API_KEY")
"""Variables that hold the endpoint's key; the first that is set counts."""


class ClientError(ValueError):
    """The client that was asked for cannot be made; the message lists every mistake."""


class ClientOptions(Record):
    """What the command line says of a client, unchecked. For what a kind of client does not know, None is expected."""

    base_url: str | None = None
    """Of an OpenAI-compatible endpoint; None: OPENAI_BASE_URL, else OpenAI's own. Flag: `--base-url`."""
    key_variable: str | None = None
    """Variable that holds the endpoint's key; None: one of `KEYS`. A version of the registry names it."""
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
    price_cached: float | None = None
    """Per million prompt tokens that the endpoint's cache held; None: as `price_in`. Flag: `--price-cached`."""
    record: Path | None = None
    """File to record the calls in. Flag: `--record`."""
    budget: float | None = None
    """What the run may cost, so that a price is needed; whoever opens the client keeps it. Flag: `--budget`."""


@dataclass(frozen=True)
class ClientSpec:
    """A client that was checked and can be opened anywhere: light, can be pickled, and holds no key."""

    spec: str
    options: ClientOptions
    name: str
    """What episodes will record as their model."""
    prices: PriceTable
    """The table with the price that was given; for `Scales.prices`."""
    notes: tuple[str, ...] = ()
    """What its user should know: a price that nobody told, lines of a recording that were passed over."""

    def open(self, env: Mapping[str, str] | None = None) -> ModelClient:
        """Return the client, its key read from the environment; to be closed by `evaluation.clients.closing.close`.

        Raises `ClientError` where a file cannot be opened any more.
        """
        kind, _, rest = self.spec.partition(":")
        try:
            env = os.environ if env is None else env
            return _wrapped(_made(kind, rest, self.options, env, name=self.name), self)
        except (RecordingError, ScriptError, DiskError) as error:
            raise ClientError(f"{self.spec}: {error}") from error

    @contextmanager
    def client(self) -> Iterator[ModelClient]:
        """Give the client, and close it at the end. Raises `ClientError`."""
        opened = self.open()
        try:
            yield opened
        finally:
            close(opened)


def is_client(spec: str) -> bool:
    """Whether a name means a client of this file, and no local model."""
    return spec.partition(":")[0] in KINDS and ":" in spec


def client_for(
    spec: str,
    options: ClientOptions | None = None,
    *,
    prices: PriceTable | None = None,
    env: Mapping[str, str] | None = None,
    name: str | None = None,
) -> ClientSpec:
    """Return what `spec` names, checked. Raises `ClientError` with every mistake; no message holds a key.

    `name`: what episodes record as the model behind an endpoint, in place of its name there.
    """
    options, env = options or ClientOptions(), os.environ if env is None else env
    kind, _, rest = spec.partition(":")
    if not is_client(spec):
        raise ClientError(f"--model: expected {', '.join(f'{one}:…' for one in KINDS)}, found {spec!r}")
    known, table, name, notes = name, prices or load_prices(), rest, list[str]()
    mistakes = [*_of_options(kind, options), *(_of_endpoint(options, env) if kind == "openai" else ())]
    if not rest:
        mistakes.append(f"--model: expected {kind}:{'MODEL' if kind == 'openai' else 'FILE'}, found no name after it")
    elif kind != "openai":
        name = _of_file(kind, rest, mistakes, notes)
    if options.price_in is not None and options.price_out is not None and not any("--price" in one for one in mistakes):
        table = table.with_price(name, options.price_in, options.price_out, options.price_cached)
    if known is not None:
        table, name = table.under_name(name, known), known
    mistakes += _of_price(kind, name, options, table)
    if mistakes:
        raise ClientError("\n".join(mistakes))
    if kind == "openai" and table.listed(name) is None:
        notes.append(
            f"no price of {name} is known: costs are reckoned at the rate of local models;"
            " give --price-in and --price-out, per million tokens"
        )
    return ClientSpec(spec, options, name, table, tuple(notes))


def _of_options(kind: str, options: ClientOptions) -> list[str]:
    wrong = []
    if kind != "openai" and options.base_url is not None:
        wrong.append("--base-url: only an openai: model has an address; leave it out")
    if options.record is not None and kind == "replay":
        wrong.append("--record: a replayed run is recorded already; leave it out")
    if (options.price_in is None) != (options.price_out is None):
        wrong.append("--price-in, --price-out: expected both, per million tokens, found one")
    if options.price_cached is not None and options.price_in is None:
        wrong.append("--price-cached: expected --price-in and --price-out beside it, found neither")
    prices = {"in": options.price_in, "out": options.price_out, "cached": options.price_cached}
    for flag, price in ((f"--price-{name}", price) for name, price in prices.items()):
        if price is not None and not 0 <= price < float("inf"):
            wrong.append(f"{flag}: expected a price of at least 0 per million tokens, found {price:g}")
    if options.concurrency < 1:
        wrong.append(f"--concurrency: expected at least 1, found {options.concurrency}")
    if options.time_limit_s <= 0:
        wrong.append(f"--request-seconds: expected more than 0, found {options.time_limit_s:g}")
    return wrong


def _address(options: ClientOptions, env: Mapping[str, str]) -> str:
    return options.base_url or env.get("OPENAI_BASE_URL") or OPENAI_URL


def _keys(options: ClientOptions) -> tuple[str, ...]:
    return KEYS if options.key_variable is None else (options.key_variable,)


def _key(options: ClientOptions, env: Mapping[str, str]) -> Secret:
    return Secret(next((env[name].strip() for name in _keys(options) if env.get(name, "").strip()), ""))


def _of_endpoint(options: ClientOptions, env: Mapping[str, str]) -> list[str]:
    place = "--base-url" if options.base_url is not None else "OPENAI_BASE_URL"
    wrong, names, key = [], " or ".join(_keys(options)), _key(options, env)
    if mistake := url_mistake(_address(options, env)):
        wrong.append(f"{place}: {mistake}")
    elif options.key_variable is not None and not key:
        wrong.append(f"{names}: expected a key for {_address(options, env)}, found none; set the variable")
    elif _address(options, env).startswith(OPENAI_URL) and not key:
        wrong.append(f"{names}: expected a key for {OPENAI_URL}, found none; set one, or give another --base-url")
    if not key.reveal().isascii() or not key.reveal().isprintable():
        wrong.append(f"{names}: expected printable ASCII characters in a key, found others")
    return wrong


def _of_file(kind: str, rest: str, mistakes: list[str], notes: list[str]) -> str:
    """Return the name of the model in a script or a recording; add what is wrong with it, and what is to be known."""
    try:
        client = _made(kind, rest, ClientOptions(), {})
    except (RecordingError, ScriptError) as error:
        mistakes.append(f"--model: {error}")
        return rest
    if isinstance(client, Replay) and client.journal.torn:
        torn = client.journal.torn
        notes.append(f"{client.journal.path}: {torn} unfinished line(s) of a killed writer were passed over")
    close(client)
    return client.name


def _of_price(kind: str, name: str, options: ClientOptions, table: PriceTable) -> list[str]:
    """A budget needs a price; that of an endpoint one that somebody told."""
    if options.budget is None:
        return []
    told = table.listed(name) is not None if kind == "openai" else True
    try:
        table.price(name)
    except LookupError:
        told = False
    return (
        []
        if told
        else [
            f"--budget: expected a price of {name} to reckon with, found none in price table {table.version}; give"
            " --price-in and --price-out, per million tokens"
        ]
    )


def _made(kind: str, rest: str, options: ClientOptions, env: Mapping[str, str], *, name: str = "") -> ModelClient:
    """Return the client itself. Raises `ScriptError` and `RecordingError`."""
    if kind == "scripted":
        return scripted(Path(rest).expanduser())
    if kind == "replay":
        path, _, model = rest.partition("#")
        return Replay(Path(path).expanduser(), model or None)
    # Here, not above: the library takes a second to import, and nothing else needs it.
    from evaluation.clients.openai import OpenAIModel

    return OpenAIModel(
        EndpointConfig(
            model=rest,
            name=name,
            base_url=_address(options, env),
            key=_key(options, env),
            stream=options.stream,
            concurrency=options.concurrency,
            time_limit_s=options.time_limit_s,
        )
    )


def _wrapped(client: ModelClient, spec: ClientSpec) -> ModelClient:
    """Put the recording around the client, where one is to be made."""
    return client if spec.options.record is None else Recording(client, spec.options.record.expanduser())
