"""Tools that are reached outside this process, over HTTP or in an MCP server, and what a run lets them reach.

Records and checks only; `http_calls.py` and `mcp_calls.py` make the calls.
Decisions: nothing is reached unless a run says so (`Reach`), and only the test run can: corrections, drawn scenarios,
comparisons and simulated users never do. A tool names the environment variables that hold its secrets, never the
secrets; in a request they stand where their placeholder does.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from evaluation.records import Record
from evaluation.tools.placeholders import inside_texts, names_in

_HEADER = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_OURS = frozenset({"host", "content-length", "transfer-encoding", "connection", "accept-encoding", "upgrade", "te"})
"""Headers that say how the request itself is sent."""
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class HttpTool(Record):
    """A request that stands for a call. `{name}` in it is filled with the call's argument of that name."""

    url: str
    """Scheme and host are fixed; path and query may hold placeholders."""
    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"] = "GET"
    query: dict[str, Any] = Field(default_factory=dict)
    """Added to the URL's own; a list becomes the key several times, what is not given is left out."""
    headers: dict[str, str] = Field(default_factory=dict)
    body: Any = None
    """JSON; a text that is one placeholder becomes the value itself, with its type. None: no body."""
    secrets: dict[str, str] = Field(default_factory=dict)
    """By placeholder: the environment variable that holds the value."""
    hosts: tuple[str, ...] = ()
    """Hosts to which a redirect may lead, beside the URL's own."""

    @field_validator("url")
    @classmethod
    def _url(cls, value: str) -> str:
        return checked_url(value)

    @field_validator("headers")
    @classmethod
    def _headers(cls, value: dict[str, str]) -> dict[str, str]:
        return checked_headers(value)

    @field_validator("secrets")
    @classmethod
    def _secrets(cls, value: dict[str, str]) -> dict[str, str]:
        return checked_secrets(value)


class McpServer(Record):
    """An MCP server: a program that is started (stdio), or a URL (streamable HTTP)."""

    command: tuple[str, ...] = ()
    """The program and its arguments. It sees `PATH`, `HOME` and their like, and what `environment` names."""
    url: str | None = None
    environment: tuple[str, ...] = ()
    """Names of environment variables that the program may see."""
    headers: dict[str, str] = Field(default_factory=dict)
    """For a URL; may hold placeholders of `secrets`."""
    secrets: dict[str, str] = Field(default_factory=dict)
    """By placeholder: the environment variable that holds the value."""

    @field_validator("url")
    @classmethod
    def _url(cls, value: str | None) -> str | None:
        if value is not None and names_in(value):
            raise ValueError(f"expected a URL without placeholders for an MCP server, found {value!r}")
        return None if value is None else checked_url(value)

    @field_validator("headers")
    @classmethod
    def _headers(cls, value: dict[str, str]) -> dict[str, str]:
        return checked_headers(value)

    @field_validator("secrets")
    @classmethod
    def _secrets(cls, value: dict[str, str]) -> dict[str, str]:
        return checked_secrets(value)

    def model_post_init(self, context: Any, /) -> None:
        if bool(self.command) == bool(self.url):
            raise ValueError("expected either `command` or `url` for an MCP server, found both or neither")
        unknown = sorted(names_in(list(self.headers.values())) - set(self.secrets))
        if unknown:
            raise ValueError(f"expected placeholders of `secrets` in the headers, found {unknown}")

    @property
    def label(self) -> str:
        """What messages call the server."""
        return self.url or self.command[0]


class McpTool(Record):
    """A tool of an MCP server."""

    server: McpServer
    tool: str
    """Its name there."""
    session: Literal["episode", "run"] = "episode"
    """How long a session lasts. `run`: all episodes of this process share one, and whatever state the server keeps."""


@dataclass(frozen=True)
class Reach:
    """What tools may reach outside this process. By default nothing."""

    kinds: frozenset[str] = frozenset()
    """Of `http` and `mcp`."""
    hosts: tuple[str, ...] = ()
    """The only hosts that may be reached; empty: those that the tools name."""
    private: bool = False
    """Whether addresses of this machine and of private networks may be reached."""

    @classmethod
    def of(cls, words: Sequence[str], hosts: Sequence[str] = ()) -> Reach:
        """Return what `words`, of `http`, `mcp` and `private`, allow; commas may join them. Raises `ValueError`."""
        said = {word.strip() for text in words for word in text.split(",") if word.strip()}
        if unknown := sorted(said - {"http", "mcp", "private"}):
            raise ValueError(f"expected http, mcp or private as tools to allow, found {', '.join(unknown)}")
        return cls(frozenset(said - {"private"}), tuple(host.lower() for host in hosts), "private" in said)

    def refusal(self, kind: str) -> str:
        """Say why tools of a kind are not called, or nothing."""
        if kind in self.kinds:
            return ""
        return f"{kind} tools are not called here; `ratchet test run --allow-tools {kind}` calls them"

    def admits(self, host: str) -> bool:
        """Say whether a host may be reached, as far as its name goes."""
        return not self.hosts or host.lower() in self.hosts


NOWHERE = Reach()
"""Nothing is reached."""


def checked_url(url: str) -> str:
    """Return a URL template. Raises `ValueError` where a placeholder could change where it leads."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise ValueError(f"expected a URL, found {url!r} ({error})") from error
    fixed = f"{parts.scheme}{parts.netloc}"
    if parts.scheme not in ("http", "https") or not host or re.search(r"[{}@\\\s]", fixed):
        raise ValueError(f"expected http:// or https:// and a fixed host without user name, found {url!r}")
    if parts.fragment or re.search(r"[\x00-\x20\x7f]", url):
        raise ValueError(f"expected a URL without fragment and blanks, found {url!r}")
    return url


def checked_headers(headers: dict[str, str]) -> dict[str, str]:
    """Return templates of headers. Raises `ValueError` for names that a tool cannot set, and texts that are none."""
    for name, value in headers.items():
        if not _HEADER.fullmatch(name) or name.lower() in _OURS:
            raise ValueError(f"expected the name of a header that a tool may set, found {name!r}")
        if re.search(r"[^\x20-\x7e]", value):
            raise ValueError(f"expected printable ASCII in the header {name}, found {value!r}")
    return headers


def checked_secrets(secrets: dict[str, str]) -> dict[str, str]:
    """Return names of environment variables by placeholder. Raises `ValueError` for what cannot be such a name."""
    for name, variable in secrets.items():
        if not _VARIABLE.fullmatch(variable):
            # The value is not quoted: whoever wrote a secret here by mistake should not find it in a log.
            raise ValueError(f"expected the name of an environment variable as secret {name!r}, found something else")
    return secrets


def http_mistakes(http: HttpTool, parameters: Mapping[str, Any]) -> Iterator[str]:
    """Yield what does not fit between a request's placeholders and the parameters of its tool."""
    properties = parameters.get("properties")
    known = dict(properties) if isinstance(properties, Mapping) else {}
    used = names_in([http.url, http.query, list(http.headers.values()), http.body])
    for name in sorted(used - set(known) - set(http.secrets)):
        yield f"expected placeholders that are parameters or secrets, found {{{name}}}"
    for name in sorted(set(known) - used):
        yield f"expected each parameter in the request, found {name!r} nowhere"
    for name in sorted(set(http.secrets) & set(known)):
        yield f"expected a secret and a parameter to have different names, found {name!r} as both"
    for name in sorted(names_in(http.url) & set(http.secrets)):
        yield f"expected secrets in headers, query or body, found {{{name}}} in the URL"
    texts = inside_texts([http.query, http.body]) | names_in([http.url, list(http.headers.values())])
    for name in sorted(texts & set(known)):
        schema = known[name] if isinstance(known[name], Mapping) else {}
        if name not in parameters.get("required", ()) and "default" not in schema:
            yield f"expected {name!r} to be required or have a default, since it stands inside a text"
    if http.body is not None and http.method == "GET":
        yield "expected no body for GET, found one"
