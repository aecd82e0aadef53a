"""A person is forgotten everywhere in a home, for good; whoever is killed in between goes on; the rules on age hold."""

from __future__ import annotations

import gzip
import json
import time
from datetime import timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from sqlalchemy import insert, select
from typer.testing import CliRunner

from cluster.cli import app
from cluster.forgetting import Forgetting, Seen, kept_ids
from cluster.home import Home
from cluster.retaining import enforce, rules_now
from cluster.sweep import HOLDS_ID
from evaluation.ledger import Ledger, PinEvent, PinRecord
from evaluation.ledger.bodies import written
from evaluation.ledger.collected import DeadLetter, LabelRecord
from evaluation.ledger.outbox import Outbox
from evaluation.ledger.schema import DeadLetterRow, LabelRow
from evaluation.records import Example, Source
from evaluation.scenarios import Expected, Kind, Part, Scenario
from serving.capture import flush, home_secret, user_hash
from serving.spool import Spool
from tests.training.privacy.making import ANN, BOB, NOW, PLANTED, example, feedback
from training.privacy.config import RetentionConfig
from training.snapshot import SnapshotMeta, SnapshotRow, commit

OWN = [example(number, ANN, said=PLANTED) for number in range(3)]
OTHERS = [example(number, BOB) for number in range(10, 13)]
MADE = example(20, None, said=PLANTED, source=Source.SYNTHETIC, parent_id=OWN[0].id)
LATE = example(30, ANN, said=PLANTED)


def pin(of: Example) -> PinRecord:
    scenario = Scenario(
        id=f"pin-{of.id}", group="g", part=Part.HELD_OUT, kind=Kind.IMPORTED, task_key="tools",
        messages=of.messages[:1], tools=(), expected=Expected(), stop="answer",
    )  # fmt: skip
    trail = (PinEvent(what="pinned", by="me", reason="", at=NOW),)
    return PinRecord(id=scenario.id, scenario=scenario, origin=f"example:{of.id}", trail=trail, at=NOW)


def row(of: Example) -> SnapshotRow:
    said = json.dumps([message.to_openai() for message in of.messages])
    return SnapshotRow(
        id=of.id, task_key="tools", messages=said, tools="[]", source="production", parent_id=of.provenance.parent_id
    )


def fill(root: Path) -> tuple[Home, Ledger]:
    """Return a home in which every store holds something of Ann's, and of others."""
    home = Home.open(root)
    ledger = Ledger.open(home.ledger_url(None))
    ledger.add_examples([*OWN, *OTHERS, MADE])
    ledger.add_feedback(feedback("of-ann", OWN[0], ANN))
    ledger.add_feedback(feedback("by-ann", OTHERS[0], ANN))
    ledger.add_feedback(feedback("of-bob", OTHERS[0], BOB))
    ledger.pin([pin(OWN[1])])
    commit([row(one) for one in OTHERS], home.snapshots / "agent", SnapshotMeta(name="clean"))
    commit([row(one) for one in (*OTHERS, *OWN, MADE)], home.snapshots / "agent", SnapshotMeta(name="all"))
    spool = Spool(home.spool / "serve.db")
    for one in (LATE, OTHERS[0]):
        spool.pin(str(one.conversation), "agent:1", 0, time.time())
        spool.answered(one, "agent:1", 0, 1.0)
    spool.feedback(feedback("in-spool", LATE, ANN))
    spool.close()
    run = home.runs / "r1"
    run.mkdir(parents=True)
    (run / "episodes.jsonl").write_text(f'{{"id": "{OWN[0].id}", "said": "{PLANTED}"}}\n{{"id": "other"}}\n')
    return home, ledger


def versions(home: Home) -> list[Seen]:
    table = home.snapshots / "agent"
    return [
        Seen("agent:1", "tiny", f"{table}@0#x"),
        Seen("agent:2", "agent:1", f"{table}@1#x"),
        Seen("agent:3", "agent:2", f"{table}@0#x"),
    ]


def holding(root: Path, text: str = PLANTED) -> list[str]:
    return [
        str(file.relative_to(root)) for file in root.rglob("*") if file.is_file() and text.encode() in file.read_bytes()
    ]


def test_nothing_of_the_person_is_left_on_disk_and_nothing_of_others_is_lost(tmp_path: Path) -> None:
    home, ledger = fill(tmp_path)
    assert len(holding(tmp_path)) >= 3
    with ledger:
        forgetting = Forgetting(home, ledger, ANN)
        would = forgetting.dry_run(lambda: versions(home))
        assert holding(tmp_path)
        done = forgetting.forget("me", lambda: versions(home))
        assert holding(tmp_path) == []
        assert would.ledger == done.ledger
        assert (done.examples, done.ledger["examples"], done.ledger["feedback"], done.ledger["pins"]) == (5, 4, 2, 1)
        assert done.spools["spool/serve.db"] == {"exchanges": 1, "conversations": 1, "feedback": 1}
        assert done.snapshots["agent"] == {"rows": 4, "versions": 1, "files": 1}
        assert done.lines == 1
        assert done.model_versions == ("agent:2", "agent:3")
        assert done.left == ()
        assert {one.id for one in ledger.examples()} == {one.id for one in OTHERS}
        assert [one.id for one in ledger.feedback_for(OTHERS[0].id)] == ["of-bob"]
        [event] = ledger.privacy_events("forget", ANN)
        assert event.id == done.id
        assert json.loads((home.privacy / "certificates" / f"{done.id}.json").read_text())["examples"] == 5
        again = forgetting.forget("me", lambda: versions(home))
        assert again.found is False
        assert len(ledger.privacy_events()) == 1


def test_what_waits_in_outboxes_is_forgotten_and_never_comes_back(tmp_path: Path) -> None:
    home, ledger = fill(tmp_path)
    waiting, given = example(31, ANN, said=PLANTED), feedback("by-ann-2", OTHERS[0], ANN)
    box = Outbox(home.spool / "inbox.db")
    box.put("example", [(one.id, written(one)) for one in (waiting, example(14, BOB))])
    box.put("feedback", [(given.id, written(given))])
    box.close()
    with ledger:
        done = Forgetting(home, ledger, ANN).forget("me", list)
        assert (done.spools["spool/inbox.db"], done.left, done.examples) == ({"waiting": 2}, (), 6)
        assert holding(tmp_path) == []
        assert ledger.add_examples([waiting]) == 0
        kept = Outbox(home.spool / "inbox.db")
        assert [row.id for row in kept.take("example")] == [example(14, BOB).id]
        assert kept.counts().waiting == 1
        kept.close()


def test_late_deliveries_never_come_back(tmp_path: Path) -> None:
    home, ledger = fill(tmp_path)
    with ledger:
        Forgetting(home, ledger, ANN).forget("me", list)
        assert ledger.add_examples([*OWN, LATE]) == 0
        assert ledger.add_feedback(feedback("of-ann", OTHERS[0], ANN)) is False
        assert ledger.add_feedback(feedback("late", OWN[0], BOB)) is False
        spool = Spool(home.spool / "late.db")
        spool.pin(str(LATE.conversation), "agent:1", 0, time.time())
        spool.answered(LATE, "agent:1", 0, 1.0)
        assert flush(spool, ledger, quiet_s=0) == 0
        spool.close()
        Forgetting(home, ledger, ANN).forget("me", list)
        assert holding(tmp_path) == []


@pytest.mark.parametrize(
    "at", ["_in_spools", "_in_snapshots", "_keep", "cluster.forgetting.sweep", "cluster.forgetting.forget_in_table"]
)
def test_a_kill_in_between_is_gone_on_with_under_the_same_certificate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    home, ledger = fill(tmp_path)

    def die(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with ledger:
        forgetting = Forgetting(home, ledger, ANN)
        with monkeypatch.context() as patch:
            patch.setattr(at if "." in at else f"cluster.forgetting.Forgetting.{at}", die)
            with pytest.raises(KeyboardInterrupt):
                forgetting.forget("me", lambda: versions(home))
        assert forgetting.begun
        begun = json.loads((home.privacy / f"forget-{ANN}.json").read_text())
        assert PLANTED not in json.dumps(begun)
        done = Forgetting(home, ledger, ANN).forget("me", lambda: versions(home))
        assert done.id == begun["certificate"]
        assert done.ledger["examples"] == 4
        assert done.examples == 5
        assert done.model_versions == ("agent:2", "agent:3")
        assert not forgetting.begun
        assert holding(tmp_path) == []
        assert len(ledger.privacy_events("forget")) == 1


def test_files_that_cannot_be_mended_are_told(tmp_path: Path) -> None:
    home, ledger = fill(tmp_path)
    report = home.loops / "t1" / "report.md"
    report.parent.mkdir(parents=True)
    report.write_text(f"see example {OWN[0].id}")
    with ledger:
        done = Forgetting(home, ledger, ANN).forget("me", list)
        assert [str(one) for one in done.left] == [f"loops/t1/report.md: {HOLDS_ID}"]
        again = Forgetting(home, ledger, ANN).forget("me", list)
        assert (again.found, again.left) == (False, done.left), "what is left is told until it is gone"
        report.unlink()
        assert Forgetting(home, ledger, ANN).forget("me", list).left == ()
        events = len(ledger.privacy_events())
        assert Forgetting(home, ledger, ANN).forget("me", list).left == ()
        assert len(ledger.privacy_events()) == events, "nothing to do is no event"


def test_ages_are_kept_but_for_what_is_pinned_or_in_production(tmp_path: Path) -> None:
    home = Home.open(tmp_path)
    old = [example(number, ANN, days=100) for number in range(4)]
    test = example(9, days=500, source=Source.TEST)
    with Ledger.open(home.ledger_url(None)) as ledger:
        ledger.add_examples([*old, example(5, ANN, days=10), test])
        ledger.pin([pin(old[0])])
        commit([row(old[1])], home.snapshots / "agent", SnapshotMeta())
        config = RetentionConfig(production="90d", test="none")
        [rule] = rules_now(ledger, config, [], NOW)
        assert (rule.expired, rule.pinned, len(rule.ids)) == (4, 1, 3)
        assert rules_now(ledger, config, [], NOW - timedelta(days=30))[0].ids == ()
        done = enforce(home, ledger, [rule], "me")
        assert done["production: 90d"]["examples"] == 3
        assert {one.id for one in ledger.examples()} == {old[0].id, example(5).id, test.id}
        assert kept_ids(home, ANN) == set(rule.ids)
        [event] = ledger.privacy_events("retention")
        assert event.detail["ids_digest"] == rule.digest
        assert ledger.add_examples([old[2]]) == 0
        saw = Forgetting(home, ledger, ANN).forget("me", lambda: [Seen("agent:2", "", f"{home.snapshots}/agent@0")])
        assert saw.model_versions == ("agent:2",), "its row outlived the example in a snapshot"


def test_dead_letters_of_the_person_go_and_labels_go_with_their_examples(tmp_path: Path) -> None:
    home, ledger = fill(tmp_path)
    letters = {"hash": f'{{"rater": "{ANN}"}}', "raw": '{"user": "ann"}', "other": '{"user": "joanna"}'}
    with ledger:
        with ledger._database.write() as connection:
            for name, text in letters.items():
                kept = DeadLetter(id=name, kind="feedback", origin="client", reason="", text=text, at=NOW)
                connection.execute(insert(DeadLetterRow).values(kept.model_dump()))
            for name, of in (("own", OWN[0]), ("not", OTHERS[0])):
                label = LabelRecord(
                    id=name, example_id=of.id, by="me", source="rule", verdict="accept", confidence=1, at=NOW
                )
                columns = ("id", "example_id", "by", "source", "verdict", "confidence", "at", "undone_at")
                body = label.model_dump(mode="json")
                connection.execute(insert(LabelRow).values({**{c: getattr(label, c) for c in columns}, "body": body}))
        done = Forgetting(home, ledger, ANN, user="ann").forget("me", list)
        assert (done.ledger["dead_letters"], done.ledger["labels"]) == (2, 1)
        with ledger._database.read() as connection:
            assert list(connection.scalars(select(DeadLetterRow.id))) == ["other"]
        assert [label.id for label in ledger.labels_of_examples([one.id for one in (*OWN, *OTHERS)])] == ["not"]


def test_the_commands_show_export_and_forget(tmp_path: Path) -> None:
    secret = home_secret(tmp_path / "home" / "secret")
    ann = user_hash(secret, "ann@corp.com")
    home = Home.open(tmp_path / "home")
    with Ledger.open(home.ledger_url(None)) as ledger:
        ledger.add_examples([example(1, ann, said=f"{PLANTED} ann.lee@corp.com"), example(2, BOB)])
    run, at = CliRunner().invoke, ["--home", str(home.root)]
    report = json.loads(run(app, ["data", "privacy", "--json", *at]).stdout)
    assert report["kinds"] == {"mail": 1}
    out = tmp_path / "ann.json"
    shown = run(app, ["data", "user", "ann@corp.com", "--export", str(out), "--json", *at])
    assert out.stat().st_mode & 0o777 == 0o600, "a person's rows are for the owner's eyes only"
    assert json.loads(shown.stdout)["rows"]["examples"] == 1
    [request] = json.loads(out.read_text())["your requests"]
    assert request["you asked"] == f"{PLANTED} ann.lee@corp.com 1"
    out.unlink()
    asked = run(app, ["data", "forget", "--user", "ann@corp.com", *at], input="n\n")
    assert asked.exit_code == 1
    dry = json.loads(run(app, ["data", "forget", "--user", "ann@corp.com", "--dry-run", "--json", *at]).stdout)
    assert (dry["dry_run"], dry["ledger"]["examples"]) == (True, 1)
    done = run(app, ["data", "forget", "--user-hash", ann, "--yes", "--json", *at])
    assert json.loads(done.stdout)["ledger"]["examples"] == 1
    assert holding(home.root) == []
    assert "Nothing is kept" in run(app, ["data", "forget", "--user", "ann@corp.com", "--yes", *at]).stdout
    events = json.loads(run(app, ["data", "privacy", "--events", "--json", *at]).stdout)
    assert [event["kind"] for event in events] == ["export", "forget"]
    both = run(app, ["data", "forget", "--user", "a", "--user-hash", "b", *at])
    assert both.exit_code == 2


def test_a_text_or_snapshot_with_findings_ends_with_three(tmp_path: Path) -> None:
    at = ["--home", str(tmp_path), "--json"]
    found = CliRunner().invoke(app, ["data", "privacy", "--text", "mail ann@corp.com", *at])
    assert found.exit_code == 3
    assert json.loads(found.stdout) == {"findings": [{"line": 1, "column": 6, "length": 12, "kind": "mail"}]}
    clean = CliRunner().invoke(app, ["data", "privacy", "--text", "order 123456789", *at])
    assert (clean.exit_code, json.loads(clean.stdout)) == (0, {"findings": []})
    leaky = commit([row(example(1, said="mail ann@corp.com"))], tmp_path / "snapshots" / "a", SnapshotMeta())
    strict = CliRunner().invoke(app, ["data", "privacy", "--snapshot", leaky.ref, *at])
    assert strict.exit_code == 3
    assert json.loads(strict.stdout)["findings"][0]["field"] == "messages[0].content"


def test_without_ages_nothing_is_deleted(tmp_path: Path) -> None:
    shown = CliRunner().invoke(app, ["data", "retain", "--home", str(tmp_path)])
    assert shown.exit_code == 0
    assert "Nothing is deleted for its age" in shown.stdout


WORDS = "please send the parcel of XYZPLANTEDXYZ to the old address"


def test_exports_old_ledgers_and_words_without_an_id_are_found_and_told_until_they_are_gone(tmp_path: Path) -> None:
    home = Home.open(tmp_path / "home")
    ann = user_hash(home_secret(home.secret), "ann")
    run, at = CliRunner().invoke, ["--home", str(home.root)]
    with Ledger.open(home.ledger_url(None)) as ledger:
        ledger.add_examples([*(example(number, ann, said=WORDS) for number in range(3)), *OTHERS])
    files = {name: home.root / "out" / name for name in ("whole.jsonl", "bare.jsonl", "whole.parquet", "bare.parquet")}
    outside = tmp_path / "outside.jsonl"
    for file in (*files.values(), outside):
        kind = "parquet" if file.suffix == ".parquet" else "sharegpt" if file is outside else "openai"
        bare = ["--bare"] if file.stem == "bare" else []
        made = run(app, ["data", "export", "--format", kind, "--out", str(file), *bare, *at])
        assert made.exit_code == 0, made.output
    assert run(app, ["data", "migrate", "--to", f"sqlite:///{home.root / 'old.db'}", *at]).exit_code == 0
    with gzip.open(home.root / "out" / "dump.gz", "wb") as packed:
        packed.write(f"{WORDS} 0".encode())
    plan = home.syntheses / "s1" / "requests.jsonl"
    plan.parent.mkdir(parents=True)
    plan.write_text(json.dumps({"id": "r1", "messages": [{"content": f"Write one like: {WORDS} 1"}]}) + "\n")
    killed = home.snapshots / "agent" / "_preparing" / "k1"
    killed.mkdir(parents=True)
    (killed / "block").write_text(WORDS)
    dry = json.loads(run(app, ["data", "forget", "--user", "ann", "--dry-run", "--json", *at]).stdout)
    done = run(app, ["data", "forget", "--user", "ann", "--yes", "--json", *at])
    told = {one["place"] for one in json.loads(done.stdout)["left"]}
    assert done.exit_code == 3, "something is left to see to"
    assert told == {"out/bare.jsonl", "out/dump.gz", "old.db", "syntheses/s1/requests.jsonl", str(outside)}
    assert told <= {one["place"] for one in dry["left"]}
    assert not killed.exists()
    assert set(holding(home.root)) <= told
    assert [pq.read_table(files[f"{name}.parquet"]).num_rows for name in ("whole", "bare")] == [3, 3]
    assert len(files["whole.jsonl"].read_text().splitlines()) == 3
    again = run(app, ["data", "forget", "--user", "ann", "--yes", *at])
    assert again.exit_code == 3
    assert "Nothing is kept of user" in again.output
    assert "but for what is left" in again.output
    for place in told:
        (home.root / place).unlink()
    last = run(app, ["data", "forget", "--user", "ann", "--yes", *at])
    assert (last.exit_code, holding(home.root)) == (0, [])
    assert "left" not in last.output


def test_somebody_of_whom_nothing_is_kept_gets_no_file_and_is_told(tmp_path: Path) -> None:
    out, at = tmp_path / "nobody.json", ["--home", str(tmp_path / "home")]
    shown = CliRunner().invoke(app, ["data", "user", "nobody", "--export", str(out), *at])
    assert shown.exit_code == 0
    assert "Nothing is kept of this user" in shown.output
    assert "No file was written" in shown.output
    assert not out.exists()
    events = json.loads(CliRunner().invoke(app, ["data", "privacy", "--events", "--json", *at]).stdout)
    assert [event["kind"] for event in events] == ["export"]
