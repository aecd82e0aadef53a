"""HTTP tools against a real server that misbehaves in every way, and what each comes to."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from pydantic import ValidationError

from evaluation.records import FailureKind, ToolCall
from evaluation.scenarios import Fault, ToolDef
from evaluation.tools.addresses import barred
from evaluation.tools.execute import ToolBox
from evaluation.tools.http_calls import Request, redirected
from evaluation.tools.outside import NOWHERE, HttpTool, Reach
from evaluation.tools.results import CallFailed
from tests.evaluation.tools.web import Web, serving

HERE = Reach.of(["http,private"])
ERROR, TIMEOUT, INVALID = FailureKind.TOOL_ERROR, FailureKind.TOOL_TIMEOUT, FailureKind.INVALID_ARGUMENTS


@pytest.fixture(scope="module")
def web() -> Iterator[Web]:
    with serving() as server:
        yield server


def tool(url: str, *, properties: dict[str, Any] | None = None, **http: Any) -> ToolDef:
    known = properties or {}
    required = [name for name, schema in known.items() if "default" not in schema and not schema.pop("left", False)]
    parameters = {"type": "object", "properties": known, "required": required}
    return ToolDef(name="ask", description="Asks.", parameters=parameters, http=HttpTool(url=url, **http))


def call(one: ToolDef, reach: Reach = HERE, *, seconds: float = 3.0, most: int = 2_000, **arguments: Any) -> Any:
    box = ToolBox([one], time_limit_s=seconds, output_limit=most, reach=reach)
    return box.call_now(ToolCall(id="c", name="ask", arguments=arguments))


TEXT: dict[str, Any] = {"type": "string"}


def test_arguments_fill_url_query_headers_and_body_with_their_types(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEATHER_KEY", "s3cret/value")
    properties = {"city": TEXT, "days": {"type": "integer"}, "tags": {"type": "array"},
                  "unit": {"type": "string", "default": "C"}, "note": {"type": "string", "left": True}}  # fmt: skip
    one = tool(
        f"{web.url}/echo/{{city}}?unit={{unit}}",
        properties=properties,
        method="POST",
        query={"tag": "{tags}", "note": "{note}", "fixed": True},
        headers={"Authorization": "Bearer {key}", "X-City": "in {city}"},
        body={"days": "{days}", "text": "{days} days in {city}", "note": "{note}", "deep": [{"unit": "{unit}"}]},
        secrets={"key": "WEATHER_KEY"},
    )
    outcome = call(one, city="A b/c?&#", days=3, tags=["x&y", 2])
    assert outcome.failure is None, outcome.message
    seen = web.seen[-1]
    assert seen["target"] == "/echo/A%20b%2Fc%3F%26%23?unit=C&tag=x%26y&tag=2&fixed=true"
    assert json.loads(seen["body"]) == {"days": 3, "text": "3 days in A b/c?&#", "deep": [{"unit": "C"}]}
    assert (seen["headers"]["Authorization"], seen["headers"]["X-City"]) == ("Bearer s3cret/value", "in A b/c?&#")
    assert seen["headers"]["Host"] == web.url.removeprefix("http://")
    assert "s3cret" not in outcome.content, "the server sent it back, and it is still not recorded"
    assert "Bearer [WEATHER_KEY]" in outcome.content


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
def test_each_method_is_sent(web: Web, method: str) -> None:
    body = None if method == "GET" else {"a": 1}
    assert json.loads(call(tool(f"{web.url}/echo", method=method, body=body)).content)["method"] == method


@pytest.mark.parametrize(
    ("path", "failure", "said"),
    [
        ("status/400", ERROR, "HTTP 400 Bad Request"),
        ("status/401", ERROR, "its secret is missing or wrong"),
        ("status/404", ERROR, 'HTTP 404 Not Found: {"why": "because"}'),
        ("status/408", TIMEOUT, "HTTP 408"),
        ("status/429", ERROR, "too many calls"),
        ("status/500", ERROR, "HTTP 500"),
        ("status/504", TIMEOUT, "HTTP 504"),
        ("status/304", ERROR, "HTTP 304"),
        ("endless", ERROR, "answered with more than 8000 bytes"),
        ("garbage", ERROR, "RemoteProtocolError"),
        ("hangup", ERROR, "RemoteProtocolError"),
        ("cut", ERROR, "RemoteProtocolError"),
        ("headers", ERROR, "RemoteProtocolError"),
        ("html", ERROR, "expected JSON, found '<html>gateway"),
        ("nan", ERROR, "there is no NaN in JSON"),
        ("surrogate", ERROR, "lone surrogate"),
        ("deep", ERROR, "expected JSON"),
        ("image", ERROR, "expected JSON or text, found image/png"),
        ("gzip", ERROR, "content encoding gzip"),
        ("error", ERROR, "no such city"),
        ("moved?to=http://elsewhere.example/", ERROR, "sent on to http://elsewhere.example, which is none of the"),
        ("moved?to=file:///etc/passwd", ERROR, "sent on to file://, which is not followed"),
        ("moved?to=http://user:word@127.0.0.1/", ERROR, "which is not followed"),
        ("moved?to=http://[broken", ERROR, "none of the tool's `hosts`"),
        ("moved?to=http://127.0.0.1:port/", ERROR, "Invalid URL"),
    ],
)  # fmt: skip
def test_what_a_server_does_wrong_is_classified(web: Web, path: str, failure: FailureKind, said: str) -> None:
    outcome = call(tool(f"{web.url}/{path}"))
    assert (outcome.failure, said in outcome.message) == (failure, True), outcome
    assert json.loads(outcome.content)["error"] == outcome.message


def test_a_hundred_megabytes_are_cut_and_not_read(web: Web) -> None:
    web.sent = 0
    assert call(tool(f"{web.url}/endless")).failure == ERROR
    assert web.sent < 20 * 1024 * 1024, "what the sockets hold, and no more"


@pytest.mark.parametrize("path", ["silent", "drip"])
def test_a_server_that_takes_too_long_is_a_timeout(web: Web, path: str) -> None:
    begun = time.monotonic()
    outcome = call(tool(f"{web.url}/{path}"), seconds=0.2)
    assert outcome.failure == TIMEOUT
    assert "within 0.2 s" in outcome.message
    assert time.monotonic() - begun < 20, "the server would take a minute"


def test_a_server_that_is_not_there_is_an_error(web: Web) -> None:
    assert "ConnectError" in call(tool("http://127.0.0.1:1/")).message
    assert "could not be found" in call(tool("http://nowhere.invalid/")).message


def test_texts_and_empty_answers_are_results(web: Web) -> None:
    assert json.loads(call(tool(f"{web.url}/page")).content) == "<p>café</p>"
    assert json.loads(call(tool(f"{web.url}/odd")).content) == "café"
    assert json.loads(call(tool(f"{web.url}/empty")).content) == {"status": 204}


def test_a_result_over_the_limit_is_an_error_as_of_any_tool(web: Web) -> None:
    outcome = call(tool(f"{web.url}/echo"), most=150)
    assert (outcome.failure, "at most 150 are allowed" in outcome.message) == (ERROR, True), outcome


def test_redirects_are_followed_within_the_tools_hosts(web: Web) -> None:
    one = tool(f"{web.url}/moved?to=/echo/there", method="POST", body={"a": 1}, headers={"X-Mine": "1"})
    seen = json.loads(call(one).content)
    assert (seen["method"], seen["target"], seen["body"]) == ("GET", "/echo/there", "")
    assert "Content-Type" not in seen["headers"]
    kept = json.loads(call(tool(f"{web.url}/moved?status=307&to=/echo", method="POST", body={"a": 1})).content)
    assert (kept["method"], kept["body"]) == ("POST", '{"a": 1}')
    port = web.url.rpartition(":")[2]
    other = tool(f"{web.url}/moved?to=http://localhost:{port}/echo", headers={"X-Mine": "1"}, hosts=("localhost",))
    assert "X-Mine" not in json.loads(call(other).content)["headers"], "another origin gets none of the headers"


@pytest.mark.parametrize(
    ("request_", "location", "said"),
    [
        (Request("GET", httpx.URL("https://a.example/"), {}), "http://a.example/", "not followed"),
        (Request("POST", httpx.URL("https://a.example/"), {}, b"1"), "https://b.example/", "with its body"),
        (Request("GET", httpx.URL("https://a.example/"), {}), "https://c.example/", "none of the tool's"),
        (Request("GET", httpx.URL("https://a.example/"), {}), "//c.example/", "none of the tool's"),
    ],
)
def test_redirects_that_could_leak_are_not_followed(request_: Request, location: str, said: str) -> None:
    with pytest.raises(CallFailed, match=said):
        redirected(request_, 307, location, {"a.example", "b.example"})


def test_more_redirects_than_three_are_an_error(web: Web) -> None:
    target = "/echo"
    for _ in range(5):
        target = "/moved?to=" + target.replace("%", "%25").replace("?", "%3F").replace("&", "%26")
    before = len(web.seen)
    assert "at most 3 redirects" in call(tool(web.url + target)).message
    assert len(web.seen) - before == 4


def test_nothing_is_reached_unless_the_run_allows_it(web: Web) -> None:
    before = len(web.seen)
    assert "--allow-tools http" in call(tool(f"{web.url}/echo"), NOWHERE).message
    assert "--allow-tools http" in call(tool(f"{web.url}/echo"), Reach.of(["mcp", "private"])).message
    assert "of a private network" in call(tool(f"{web.url}/echo"), Reach.of(["http"])).message
    listed = Reach.of(["http", "private"], ["api.example.com"])
    assert "expected a host that the run allows (api.example.com)" in call(tool(f"{web.url}/echo"), listed).message
    assert len(web.seen) == before
    with pytest.raises(ValueError, match="expected http, mcp or private as tools to allow, found ftp"):
        Reach.of(["http,ftp"])


@pytest.mark.parametrize(
    ("address", "private", "public"),
    [
        ("127.0.0.1", True, False), ("10.1.2.3", True, False), ("192.168.0.1", True, False), ("::1", True, False),
        ("fd00::1", True, False), ("::ffff:127.0.0.1", True, False), ("64:ff9b::7f00:1", True, False),
        ("2002:7f00:1::", True, False), ("100.64.0.1", True, False), ("169.254.169.254", False, False),
        ("fe80::1%eth0", False, False), ("::ffff:169.254.169.254", False, False), ("0.0.0.0", False, False),
        ("224.0.0.1", False, False), ("::", False, False), ("8.8.8.8", True, True), ("2606:4700::1111", True, True),
        ("::ffff:8.8.8.8", True, True),
    ],
)  # fmt: skip
def test_which_addresses_are_reached(address: str, private: bool, public: bool) -> None:
    assert (not barred(address, private=True), not barred(address, private=False)) == (private, public)


@pytest.mark.parametrize("value", ["..", ".", "../admin", "a/../b", "..\\x", "", "\n"])
def test_a_value_cannot_leave_its_place_in_the_path(web: Web, value: str) -> None:
    before = len(web.seen)
    outcome = call(tool(f"{web.url}/echo/{{city}}/x", properties={"city": TEXT}), city=value)
    assert (outcome.failure, "city: expected a text that can be part of a path" in outcome.message) == (INVALID, True)
    assert len(web.seen) == before


@pytest.mark.parametrize("value", ["a\r\nX-Admin: 1", "a\nb", "tab\t", "naïve", "nul\0"])
def test_a_value_cannot_add_a_header(web: Web, value: str) -> None:
    one = tool(f"{web.url}/echo", properties={"city": TEXT}, headers={"X-City": "{city}"})
    assert call(one, city=value).failure == INVALID


def test_arguments_are_checked_first_and_unknown_ones_refused(web: Web) -> None:
    one = tool(f"{web.url}/echo", properties={"n": {"type": "integer"}}, query={"n": "{n}"})
    assert call(one, n="three").failure == INVALID
    assert "found surprise" in call(one, n=3, surprise=1).message
    assert call(one, n=float("nan")).failure == INVALID
    assert call(one, n=3, surprise="\ud800").failure == INVALID


def test_a_secret_that_is_not_set_is_named(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_SUCH_KEY", raising=False)
    one = tool(f"{web.url}/echo", headers={"X-Key": "{key}"}, secrets={"key": "NO_SUCH_KEY"})
    assert "set NO_SUCH_KEY" in call(one).message


def test_faults_strike_http_tools_as_any_other(web: Web) -> None:
    before = len(web.seen)
    box = ToolBox([tool(f"{web.url}/echo")], faults={"ask": Fault(kind="error", message="down", times=1)}, reach=HERE)
    ask = ToolCall(id="c", name="ask", arguments={})
    assert box.call_now(ask).message == "down"
    assert len(web.seen) == before
    assert box.call_now(ask).failure is None


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"url": "https://{host}/x"}, "expected http:// or https:// and a fixed host"),
        ({"url": "ftp://a.example/x"}, "expected http:// or https:// and a fixed host"),
        ({"url": "https://me:pw@a.example/"}, "without user name"),
        ({"url": "https://a.example:99999/"}, "expected a URL"),
        ({"url": "https://a.example/#x"}, "without fragment"),
        ({"url": "https://a.example/", "headers": {"Host": "b"}}, "a header that a tool may set, found 'Host'"),
        ({"url": "https://a.example/", "headers": {"X:Y": "b"}}, "a header that a tool may set"),
        ({"url": "https://a.example/", "headers": {"X": "a\r\nb"}}, "printable ASCII"),
        ({"url": "https://a.example/", "secrets": {"k": "sk-123!"}}, "environment variable as secret 'k'"),
        ({"url": "https://a.example/{x}"}, "found {x}"),
        ({"url": "https://a.example/", "body": {"a": 1}}, "expected no body for GET"),
        ({"url": "https://a.example/{k}", "secrets": {"k": "KEY"}}, "found {k} in the URL"),
    ],
)
def test_mistakes_in_a_definition_are_found_when_it_is_read(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said.replace("{", "\\{")):
        tool(**fields)


def test_a_parameter_has_its_place_and_a_text_its_value() -> None:
    with pytest.raises(ValidationError, match="found 'city' nowhere"):
        tool("https://a.example/", properties={"city": TEXT})
    with pytest.raises(ValidationError, match="'city' to be required or have a default"):
        tool("https://a.example/{city}", properties={"city": {"type": "string", "left": True}})
    with pytest.raises(ValidationError, match="expected one of function, http and mcp"):
        ToolDef(name="a", description="", parameters={}, function="a:b", http=HttpTool(url="https://a.example/"))
