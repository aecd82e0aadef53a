"""What an item must not be like."""

from __future__ import annotations

from evaluation.scenarios import Part
from tests.training.synthesis.making import SUITE, item
from training.dedup import NearConfig, SemanticConfig
from training.synthesis.config import SynthesisConfig
from training.synthesis.duplicates import Standing
from training.synthesis.yields import Outcome

CONFIG = SynthesisConfig().duplicates
LONG = "Please open page twelve of the handbook and read the part about holidays and sick leave to me slowly"


def test_of_several_the_one_that_is_there_stays_then_the_first() -> None:
    standing = Standing((), ["Open page 3"], CONFIG)
    items = {"b": item(user="OPEN  page 3"), "a": item(user="Open page 4"), "c": item(user="open page 4")}
    assert {name: like[0] for name, like in standing.alike(items).items()} == {"b": Outcome.EXACT, "c": Outcome.EXACT}
    assert standing.known(items["b"]) == (Outcome.EXACT, "like an earlier request")
    assert standing.known(items["a"]) is None


def test_what_is_nearly_the_same_is_found_and_what_is_not_is_left() -> None:
    standing = Standing((), [LONG], CONFIG)
    found = standing.alike({"near": item(user=f"{LONG} now"), "far": item(user="Open the garden gate, please")})
    assert {name: like[0] for name, like in found.items()} == {"near": Outcome.NEAR}
    off = CONFIG.model_copy(update={"near": NearConfig(enabled=False)})
    assert Standing((), [LONG], off).alike({"near": item(user=f"{LONG} now")}) == {}


def test_the_held_out_part_is_kept_out_also_where_it_is_nearly_said() -> None:
    held = max((one.query for one in SUITE.scenarios if one.part == Part.HELD_OUT), key=len)
    trained = next(one.query for one in SUITE.scenarios if one.part == Part.TRAIN)
    standing = Standing(SUITE.scenarios, (), CONFIG)
    assert standing.known(item(user=held.upper()))[0] is Outcome.HELD_OUT  # type: ignore[index]
    assert standing.known(item(reply=held))[0] is Outcome.HELD_OUT  # type: ignore[index]
    found = standing.alike({"near": item(user=f"{held} Thanks"), "train": item(user=trained)})
    assert {name: like[0] for name, like in found.items()} == {"near": Outcome.HELD_OUT}


def test_novelty_is_the_share_of_new_word_pairs() -> None:
    standing = Standing((), ["open the door"], CONFIG)
    assert standing.add(item(user="open the gate")) == 0.5
    assert standing.add(item(user="open the gate")) == 0.0
    assert standing.add(item(user="Hello")) == 1.0


def test_what_means_the_same_is_found_where_that_is_asked_for() -> None:
    texts = [f"Tell me about city number {at} and its harbour" for at in range(40)]
    same = "And its harbour: tell me about number 7, city"
    for enabled in (True, False):
        config = CONFIG.model_copy(update={"semantic": SemanticConfig(enabled=enabled, threshold=0.8, search="exact")})
        found = Standing((), [*texts, LONG], config).alike(
            {"same": item(user=same), "new": item(user="Sing a song, Bob")}
        )
        assert {name: like[0] for name, like in found.items()} == ({"same": Outcome.SEMANTIC} if enabled else {})
