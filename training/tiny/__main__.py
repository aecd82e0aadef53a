"""Make `tiny` from nothing: `python -m training.tiny` (or `make tiny`). Killed, it goes on where it was.

Order of events: tokenizer from generated text → Ray → recipe `scratch` on streamed conversations → export → curve
and card.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from training.tiny.build import OUTPUT, RECIPE, build


def main() -> None:
    """Parse the command line and build."""
    parser = argparse.ArgumentParser(prog="python -m training.tiny", description=__doc__)
    parser.add_argument("--out", type=Path, default=OUTPUT, help="folder of the finished model")
    parser.add_argument(
        "--work", type=Path, default=Path(".ratchet/tiny"), help="folder of the run and its checkpoints"
    )
    parser.add_argument("--steps", type=int, default=RECIPE.steps, help="optimiser steps")
    arguments = parser.parse_args()
    build(arguments.out, arguments.work, steps=arguments.steps)


main()
