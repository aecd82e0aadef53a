"""What a run looks like to those who read it elsewhere: JUnit, HTML, a terminal."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest
from rich.console import Console

from cluster.episode_text import print_episode
from cluster.episode_view import Tone, view
from cluster.live_run import progress_line, shown
from cluster.run_export import junit
from cluster.run_html import page
from cluster.runs import Run
from evaluation.examples import Scales
from evaluation.records import FailureKind, ToolCall, Verdict
from evaluation.run import Progress
from evaluation.run_folder import Attempted
from evaluation.validators import judge
from tests.cluster.run_making import Source, done, many, plan
from tests.evaluation.attempts import BY_ID, call, calling, follow, saying

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)> ]]> & \x1b[31mred\x07\x00 \ufffe"


def attempted(name: str, *turns: object) -> Attempted:
    scenario = BY_ID[name]
    episode, validations = judge(scenario, follow(scenario, *turns))  # type: ignore[arg-type]
    return Attempted(order=0, scenario=scenario, episode=episode, validations=validations)


class Made(Run):
    """A run whose attempts are these."""

    some: tuple[Attempted, ...] = ()

    def attempts(self):
        return iter(type(self).some)


def run_of(folder: Path, *some: Attempted) -> Run:
    made = Made(folder, plan([one.scenario for one in some]), None)
    type(made).some = some
    return made


@pytest.fixture
def hostile(tmp_path: Path) -> Run:
    bad = ToolCall(id="c", name=HOSTILE, arguments={HOSTILE: HOSTILE})
    return run_of(tmp_path, attempted("one_call", calling(bad), saying(HOSTILE)), attempted("no_tool", saying("Hello")))


def test_junit_has_the_elements_and_attributes_of_the_schema(tmp_path: Path) -> None:
    scenarios = many(20)
    run, end = done(tmp_path, scenarios, attempts=2)
    root = ElementTree.fromstring("".join(junit(run)))
    (suite,) = root
    assert (root.tag, root.attrib, suite.tag) == ("testsuites", {}, "testsuite")
    assert suite.attrib.keys() == {
        "package", "id", "name", "timestamp", "hostname", "tests", "failures", "errors", "time",
    }  # fmt: skip
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", suite.attrib["timestamp"])
    assert [child.tag for child in suite] == ["properties", *["testcase"] * 40, "system-out", "system-err"]
    cases = suite.findall("testcase")
    assert all(case.attrib.keys() == {"name", "classname", "time"} for case in cases)
    assert len({(case.attrib["name"], case.attrib["classname"]) for case in cases}) == 40
    failed = [child for case in cases for child in case]
    assert all(child.attrib.keys() == {"message", "type"} for child in failed)
    right = round((end.figures.metrics["task_success"].value or 0) * 40)
    assert len(failed) == 40 - right
    for name in ("failure", "error"):
        assert int(suite.attrib[f"{name}s"]) == sum(child.tag == name for child in failed) > 0
    assert "Went wrong at turn" in (failed[0].text or "")


def test_junit_tells_an_error_from_a_failure(tmp_path: Path) -> None:
    run, _ = done(tmp_path, many(3), Source(many(3), "down"))
    (suite,) = ElementTree.fromstring("".join(junit(run)))
    assert (suite.attrib["errors"], suite.attrib["failures"]) == ("3", "0")
    assert suite[1][0].attrib["type"] == "model_error"


def test_what_xml_cannot_hold_is_replaced(hostile: Run) -> None:
    text = "".join(junit(hostile))
    root = ElementTree.fromstring(text)
    assert "<script>alert(1)</script>" in (root.findtext("testsuite/testcase/failure") or "")
    assert not {"\x00", "\x07", "\x1b", "\ufffe"} & set(text)


class Parsed(HTMLParser):
    """What a browser would make of the page, roughly."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "input", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_page_stands_alone_and_runs_nothing_but_its_own_script(hostile: Run) -> None:
    text = "".join(page(hostile, Scales()))
    parsed = Parsed(text)
    assert parsed.open == []
    tags = [tag for tag, _ in parsed.tags]
    assert (tags.count("script"), tags.count("style"), tags.count("details")) == (1, 1, 2)
    assert not {"img", "link", "iframe", "object"} & set(tags)
    assert not any(key.startswith("on") or key in ("src", "href", "style") for _, attrs in parsed.tags for key in attrs)
    assert "http:" not in text
    assert "https:" not in text
    policy = next(a["content"] for _, a in parsed.tags if a.get("http-equiv") == "Content-Security-Policy") or ""
    assert policy.startswith("default-src 'none'")
    for tag in ("script", "style"):
        (inside,) = re.findall(f"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        assert base64.b64encode(hashlib.sha256(inside.encode()).digest()).decode() in policy


def test_the_page_can_be_filtered_by_what_its_episodes_are(tmp_path: Path) -> None:
    run, _ = done(tmp_path, many(20))
    parsed = Parsed("".join(page(run, Scales())))
    episodes = [attrs for tag, attrs in parsed.tags if tag == "details"]
    assert {one["data-verdict"] for one in episodes} == {"passed", "failed"}
    assert len({one["data-kind"] for one in episodes}) > 4
    assert any("stock" in (one["data-tools"] or "").split("\n") for one in episodes)


def test_a_view_says_where_it_went_wrong_and_puts_calls_beside_the_expected_ones() -> None:
    wrong = attempted("chain", calling(call("stock", item="pen")), calling(call("order", item="pen", count=3)),
                      saying("There are 1,234 pens."))  # fmt: skip
    seen = view(wrong)
    assert (seen.verdict, seen.where) == ("failed", 'turn 2: called order(item="pen", count=3)')
    assert [(side.expected, side.given) for side in seen.sides] == [
        ('stock(item="pen")', 'stock(item="pen")'),
        ('order(item="pen", count=1234)', 'order(item="pen", count=3)'),
    ]
    assert [block.tone for block in seen.blocks if block.who == "call"] == [Tone.PLAIN, Tone.BAD]
    assert seen.tools == ("stock", "order")
    prose = view(attempted("one_call", saying("Done.")))
    assert prose.where.startswith("turn 1: tool_selection: expected order")
    assert (prose.sides[0].given, prose.sides[0].same_tool) == ("", False)
    unknown = view(attempted("one_call", calling(call("steal")), saying("Done.")))
    assert unknown.where == "turn 1: called steal()"
    assert [block.title for block in unknown.blocks if block.who == "failure"] == ["unknown_tool"]


def test_a_tool_that_fails_as_it_is_meant_to_is_not_where_it_went_wrong() -> None:
    seen = view(attempted("graceful", calling(call("stock", item="pen")), saying("It is 5.")))
    assert seen.where.startswith("turn 2: recovery")
    right = view(attempted("graceful", calling(call("stock", item="pen")), saying("Sorry, that failed.")))
    assert (right.verdict, right.where, right.wrong) == ("passed", "", ())


def test_model_output_steers_no_terminal_and_is_no_markup(hostile: Run) -> None:
    out = Console(width=100, record=True, force_terminal=True)
    print_episode(out, view(next(iter(hostile.attempts()))))
    text = out.export_text(styles=False)
    assert not {"\x1b", "\x07", "\x00"} & set(text)
    assert "[31mred" in text


def test_a_validator_that_raised_is_no_verdict() -> None:
    one = attempted("no_tool", saying("Hello"))
    unjudged = [v.model_copy(update={"verdict": Verdict.NOT_APPLICABLE, "confidence": 0.0}) for v in one.validations]
    seen = view(one.model_copy(update={"validations": tuple(unjudged)}))
    assert (seen.verdict, seen.wrong, seen.where) == ("not judged", (), "turn 1: nothing could be judged")


def test_progress_is_one_line_and_silent_where_nobody_looks(capsys: pytest.CaptureFixture[str]) -> None:
    progress = Progress(40, 100, 30, 0.012, {FailureKind.TOOL_ERROR: 2, FailureKind.MODEL_ERROR: 5})
    line = progress_line(progress, 12.345, "USD")
    assert line == "12.3/s · 30 right · 0.012 USD · 5 model_error · 2 tool_error"
    with shown(Console(), 100, "USD") as tell:
        tell(progress)
    assert capsys.readouterr().out == ""
    out = Console(force_terminal=True, width=120)
    with out.capture() as captured, shown(out, 100, "USD") as tell:
        tell(progress)
    assert "40/100" in captured.get()
