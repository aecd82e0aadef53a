"""What the loop selects is pinned: ids, messages and their order, on a small fixed case with everything in it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

import pytest

from evaluation.records import Labels
from evaluation.scenarios import Scenario
from tests.training.test_select import LIVE, RIGHT, WRONG, example, feedback, rated, run, scenario
from training.select import SelectConfig, Selection


def whole_case(config: SelectConfig) -> Selection:
    """Right and wrong tests, doubles, too low a quality, production with and without ratings, the held-out part."""

    def further(wanted: Mapping[str, int]) -> list[Scenario]:
        return [scenario(name).model_copy(update={"group": "g-bob"}) for name in ("eve", "fay", "gus")]

    poor = RIGHT.model_copy(update={"response_quality": 2.0})
    examples = [
        example("ann", labels=RIGHT, reply="ann@corp.com or +1 415 555-0134"),
        example("ann", 1, labels=RIGHT, reply="ann@corp.com or +1 415 555-0134"),
        example("cem", labels=poor, reply="cem@corp.com"),
        example("bob", labels=WRONG),
        example("bob", 1, labels=WRONG, reply="Who?"),
        example("zoe", labels=RIGHT, part="held_out"),
        example("ann", 7, labels=rated(5), reply="Ask ann@other.org.", **LIVE),
        example("cem", 7, labels=rated(1), **LIVE),
        example("bob", 7, labels=rated(None), **LIVE),
        example("dan", 7, labels=Labels(success=True, validation_confidence=0.5), **LIVE),
    ]
    said = {"cem-7": [feedback(suggested_response="It is c@b.org.")]}
    return run(examples, config, further=further, feedback=said, seed=5)


@pytest.mark.parametrize(
    ("scrub", "count", "digest"),
    [(False, 11, "dcc1db917d713872"), (True, 11, "ea37dff5b8accaa8")],
)
def test_the_loop_selects_the_rows_that_it_always_did(scrub: bool, count: int, digest: str) -> None:
    rows = whole_case(SelectConfig(scrub=scrub, rehearsal=0.5, min_quality=4.0, augment=2)).rows
    text = json.dumps([[row.id, row.messages] for row in rows], ensure_ascii=False)
    assert (len(rows), hashlib.sha256(text.encode()).hexdigest()[:16]) == (count, digest)
