"""Commands say and do on a home whose ledger is PostgreSQL what they do on SQLite; two reviewers at once are let in."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cluster.cli import app
from cluster.home import Home
from evaluation.ledger import Ledger
from evaluation.ledger.collected import ReviewStatus
from evaluation.splits import Suite
from evaluation.suite import save_jsonl
from serving.capture import user_hash
from tests.evaluation.ledger.making import example as planner
from tests.evaluation.ledger.making import feedback
from tests.evaluation.making import calls, result, says, talk, user
from tests.postgres import Server
from tests.training.prepare.making import many
from tests.training.test_select import SUITE
from training.formats.names import FormatName

pytestmark = [pytest.mark.postgres, pytest.mark.slow]
ROOT = Path(__file__).parents[2]
SECRET = b"s" * 32
DRAWN = frozenset(
    {"at", "made_at", "begun_at", "done_at", "created_at", "seconds", "timestamp", "database", "cost_month"}
)
"""Keys whose values are the clock's, or the database's own size."""


class Homes:
    """Two homes with the same examples, one on each database."""

    def __init__(self, root: Path, url: str) -> None:
        self.root = root
        self.urls = {"sqlite": f"sqlite:///{root}/sqlite/ledger.db", "postgresql": url}
        for name, at in self.urls.items():
            home = Home.open(root / name)
            home.secret.write_text(SECRET.hex())
            ann = user_hash(SECRET, "ann")
            with Ledger.open(at) as ledger:
                ledger.add_examples([*many(60), *(planner(n) for n in (1, 2, 3))])
                failed = talk(user(), calls(("search", {"q": "it"})), result({"error": "[red]down"}), says("Blue."))
                ledger.add_examples([failed.model_copy(update={"id": f"f{n}", "user_hash": ann}) for n in range(3)])
                better = feedback("f1", "e0002", 2).model_copy(
                    update={"suggested_response": "There.", "suggested_tools": ("search",)}
                )
                ledger.add_feedback(better)

    def run(self, name: str, *arguments: str) -> tuple[int, str]:
        home = self.root / name
        given = [one.replace("HOME", str(home)) for one in arguments]
        env = {"RATCHET_STORES__LEDGER_URL": self.urls[name], "COLUMNS": "160"}
        done = CliRunner().invoke(app, [*given, "--home", str(home)], env=env)
        assert done.exception is None or isinstance(done.exception, SystemExit), (arguments, done.exc_info)
        return done.exit_code, (done.stdout if done.exit_code == 0 else done.output)

    def both(self, *arguments: str, code: int = 0) -> str:
        """Run a command on both; return what PostgreSQL's said, which is what SQLite's said."""
        lite, postgres = (self.run(name, *arguments) for name in self.urls)
        assert self._plain("postgresql", postgres[1]) == self._plain("sqlite", lite[1]), arguments
        assert (postgres[0], lite[0]) == (code, code), postgres[1]
        return postgres[1]

    def json(self, *arguments: str) -> Any:
        return json.loads(self.both(*arguments, "--json"))

    def ledger(self) -> Ledger:
        return Ledger.open(self.urls["postgresql"])

    def _plain(self, name: str, text: str) -> Any:
        text = text.replace(str(self.root / name), "HOME")
        try:
            return _without_drawn(json.loads(text))
        except ValueError:
            return re.sub(r"in [0-9.]+ s\b|\d{4}-\d\d-\d\d[T ][0-9:.+]*", "", text)


def _without_drawn(value: Any) -> Any:
    if isinstance(value, dict):
        drawn = DRAWN | ({"id"} if "ids_digest" in value else set())  # a certificate's
        return {key: _without_drawn(inner) for key, inner in value.items() if key not in drawn}
    if isinstance(value, float):
        return round(value, 9)
    return [_without_drawn(inner) for inner in value] if isinstance(value, list) else value


@pytest.fixture
def homes(tmp_path: Path, postgres_server: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Homes]:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ratchet.yaml").write_text("suite: suite.jsonl\n")
    save_jsonl(Suite(name="few", seed=0, split_seed=0, scenarios=tuple(SUITE)), tmp_path / "suite.jsonl")
    name = postgres_server.database()
    yield Homes(tmp_path, postgres_server.url(name))
    postgres_server.drop(name)


def test_looking_at_what_was_collected(homes: Homes) -> None:
    assert len(homes.json("data", "list", "--limit", "0")) == 0
    for flags in (["--failed"], ["--min-quality", "4", "--source", "production"], ["--tool", "search"],
                  ["--since", "2026-01-02T03:04:08", "--task-key", "planner"], ["--min-rating", "2"]):  # fmt: skip
        homes.json("data", "list", *flags, "--limit", "100")
    assert len(homes.both("data", "list", "--jsonl").splitlines()) == 66
    assert [one["id"] for one in homes.json("data", "search", "GRÜßE \U0001f600")] == ["e0003", "e0002", "e0001"]
    assert len(homes.json("data", "search", "corp.com", "oslo", "--limit", "50")) > 0
    assert homes.json("data", "search", "100%_'\\") == []
    assert homes.json("data", "stats")["examples"] == 66
    homes.json("data", "stats", "--task-key", "planner")
    homes.json("data", "quality")
    homes.both("data", "show", "e0002")
    homes.both("history")


@pytest.mark.parametrize("form", [name.value for name in FormatName])
def test_what_is_exported_is_the_same_and_comes_back(homes: Homes, form: str) -> None:
    suffix = "parquet" if form == "parquet" else "jsonl"
    # What somebody had a better answer for was not rated as good.
    good = () if form == "openai-dpo" else ("--min-quality", "4")
    homes.json("data", "export", "--format", form, "--out", f"HOME/out.{suffix}", *good)
    one, other = ((homes.root / name / f"out.{suffix}").read_bytes() for name in homes.urls)
    assert one == other
    if form in ("openai", "sharegpt"):
        homes.json("data", "export", "--format", form, "--out", "HOME/bare.jsonl", "--bare", "--min-quality", "4")
        flags = ("--format", form, "--task-key", "back", "--source", "manual")
        new = homes.json("data", "import", "HOME/bare.jsonl", *flags)["examples"]
        assert new > 5
        assert homes.json("data", "import", "HOME/bare.jsonl", *flags)["known"] == new
        assert homes.json("data", "list", "--task-key", "back")


def test_labelling(homes: Homes) -> None:
    for strategy in ("uncertainty", "diversity", "disagreement", "random", "mixed"):
        homes.json("data", "queue", "--strategy", strategy, "--count", "5", "--queue", strategy, "--seed", "1")
    assert sum(one["count"] for one in homes.json("data", "recoveries", "--find")["counts"]) >= 3
    assert homes.json("data", "recoveries", "--find")["found"]["new"] == 0
    homes.json("data", "reward", "--recompute")
    said = ("--rating", "4", "--by", "ann", "--comment", "slow")
    homes.both("feedback", "add", "--example", "e0001", *said)
    assert "among the dead letters" in homes.both("feedback", "add", "--example", "nobody-knows", *said, code=2)
    homes.json("feedback", "list", "--example", "e0001")
    for name in homes.urls:
        [letter] = json.loads(homes.run(name, "data", "dead-letters", "--json")[1])["letters"]
        assert letter["subject"] == "nobody-knows"
    homes.json("data", "replay", "--all")
    homes.json("data", "agreement")
    homes.json("data", "propagate", "--least", "0.5")


def test_preparing(homes: Homes) -> None:
    found = homes.json("data", "prepare", "--kind", "chat", "--hold-out", "0.2", "--balance", "source", "--cap", "9")
    assert found["rows"] > 5
    homes.json("data", "dedup", "--dry-run")
    homes.json("data", "privacy")
    homes.json("data", "lineage", "e0002")


def test_a_person_is_shown_and_forgotten(homes: Homes) -> None:
    assert homes.json("data", "user", "ann")["rows"]["examples"] == 3
    homes.json("data", "user", "ann", "--export", "HOME-ann.json")
    homes.json("data", "forget", "--user", "ann", "--dry-run")
    homes.json("data", "forget", "--user", "ann", "--yes", "--by", "me")
    assert homes.json("data", "list", "--user-hash", user_hash(SECRET, "ann")) == []
    homes.json("data", "retain", "--dry-run")
    assert all("forget" in homes.run(name, "data", "privacy", "--events")[1] for name in homes.urls)


def test_a_ledger_moves_out_of_postgresql_whole(homes: Homes) -> None:
    code, said = homes.run("postgresql", "data", "migrate", "--to", f"sqlite:///{homes.root}/moved.db")
    assert code == 0, said
    with homes.ledger() as one, Ledger.open(f"sqlite:///{homes.root}/moved.db") as other:
        assert list(one.examples()) == list(other.examples())


def test_two_reviewers_at_once_never_answer_the_same_item(homes: Homes) -> None:
    code, said = homes.run("postgresql", "data", "queue", "--strategy", "random", "--count", "30")
    assert code == 0, said
    env = os.environ | {"PYTHONPATH": str(ROOT), "RATCHET_STORES__LEDGER_URL": homes.urls["postgresql"]}
    program = [sys.executable, "-c", "from cluster.cli import main; main()", "data", "review"]
    at = [
        subprocess.Popen([*program, "--by", by, "--home", str(homes.root / "postgresql")], env=env, text=True,
                         stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        for by in ("ann", "bob")
    ]  # fmt: skip
    for one in at:
        assert one.stdin is not None
        one.stdin.write("a" * 12)
        one.stdin.close()
    outputs = []
    for one in at:
        with one:
            assert one.stdout is not None
            outputs.append(one.stdout.read())
    assert [one.returncode for one in at] == [0, 0], outputs
    assert ["12 answered" in output for output in outputs] == [True, True], outputs
    with homes.ledger() as ledger:
        assert ledger.review_counts()["default"] == {ReviewStatus.DONE: 24, ReviewStatus.OPEN: 6}
        labels = [label for item in ledger.reviews("default") for label in ledger.labels(item.example_id)]
        assert Counter(label.by for label in labels) == {"ann": 12, "bob": 12}
