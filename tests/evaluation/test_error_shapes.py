"""What a tool's result says went wrong is read from the shapes in which tools say so."""

from __future__ import annotations

import pytest

from evaluation.error_shapes import error_in, kind_of_error, short_error

PYTHON = 'Traceback (most recent call last):\n  File "a.py", line 1, in <module>\n    f()\n'


@pytest.mark.parametrize(
    ("content", "kind", "said"),
    [
        ('{"error": "the index is down"}', "tool_error", "the index is down"),
        ('{"error": {"code": 404, "message": "no such order"}}', "tool_error", "404: no such order"),
        ('{"error": true, "message": "bad day"}', "tool_error", "bad day"),
        ('{"error": "invalid_grant", "error_description": "expired"}', "tool_error", "invalid_grant: expired"),
        ('{"errors": [{"message": "no field x"}], "data": null}', "tool_error", "no field x"),
        ('{"exception": "KeyError: x"}', "tool_error", "KeyError: x"),
        ('{"isError": true, "content": [{"type": "text", "text": "boom"}]}', "tool_error", "boom"),
        ('{"status": "error", "message": "x"}', "tool_error", "x"),
        ('{"success": false, "message": "quota exceeded"}', "tool_error", "quota exceeded"),
        ('{"ok": false, "error": "channel_not_found"}', "tool_error", "channel_not_found"),
        ('{"status": 404, "title": "Not Found", "type": "about:blank"}', "tool_error", "404: Not Found"),
        ('{"statusCode": 504, "message": "Gateway"}', "tool_timeout", "504: Gateway"),
        ('{"status": 422, "title": "No"}', "invalid_arguments", "422: No"),
        ('{"detail": [{"loc": ["body", "q"], "msg": "field required"}]}', "invalid_arguments", "q: field required"),
        ('{"__type": "ThrottlingException", "message": "slow"}', "tool_error", "ThrottlingException: slow"),
        ('{"jsonrpc": "2.0", "error": {"code": -32602, "message": "No"}}', "invalid_arguments", "-32602: No"),
        ('{"jsonrpc": "2.0", "error": {"code": -32601, "message": "No"}}', "unknown_tool", "-32601: No"),
        ("HTTP 500: Internal Server Error", "tool_error", None),
        ("HTTP/1.1 404 Not Found", "tool_error", None),
        ("429 Client Error: Too Many Requests for url: http://x", "tool_error", None),
        ("503 Service Unavailable", "tool_error", None),
        ("408 Request Timeout", "tool_timeout", None),
        ("422 Unprocessable Entity", "invalid_arguments", None),
        (PYTHON + "TypeError: f() missing 1 required positional argument: 'q'", "invalid_arguments",
         "TypeError: f() missing 1 required positional argument: 'q'"),
        (PYTHON + "requests.exceptions.ReadTimeout", "tool_timeout", None),
        ("java.lang.NullPointerException: x\n\tat a.b(C.java:3)", "tool_error", None),
        ('Exception in thread "main" java.lang.Foo', "tool_error", None),
        ("panic: runtime error: index out of range", "tool_error", None),
        ("TypeError: x is not a function\n    at foo (a.js:1:2)", "tool_error", None),
        ("[ERROR] unknown function: serach", "unknown_tool", None),
        ("Fehler: Der Dienst antwortet nicht", "tool_error", None),
        ("エラー: 接続できません", "tool_error", None),
    ],
)  # fmt: skip
def test_an_error_is_found_with_its_kind_and_its_words(content: str, kind: str, said: str | None) -> None:
    found = error_in(content)
    assert found is not None
    assert kind_of_error(found, content).value == kind
    assert short_error(found) == (said if said is not None else short_error(content))


@pytest.mark.parametrize(
    "content",
    [
        '{"error": null}', '{"error": ""}', '{"error": false}', '{"value": 3.2, "error": 0.05}', '{"errors": []}',
        '{"status": 200, "message": "ok"}', '{"status": "ok"}', '{"code": 404, "name": "Room"}', '{"success": true}',
        '{"status": 450, "price": 3}', '{"status": "failed", "payment": 7}', '{"detail": "A long text on cats"}',
        '{"type": "error_report", "title": "x"}', "404 results found", "404 Elm Street", "500 people came",
        "No errors found", "Errors are rare", "Exceptional weather", "fault lines near the bay", '"Error"', "", "[1]",
        "{not json",
    ],
)  # fmt: skip
def test_what_is_no_error_is_not_taken_for_one(content: str) -> None:
    assert error_in(content) is None


def test_of_a_traceback_the_line_is_kept_that_says_what_happened() -> None:
    assert short_error(PYTHON + "ValueError: no\n\nDuring …\n" + PYTHON + "KeyError: 'x'\n") == "KeyError: 'x'"
    assert short_error(PYTHON) == PYTHON
