"""The leaderboard's side of the benchmark: its own checker judges outputs. Runs in the peer's own environment.

    python bench_eval_bfcl.py < outputs.jsonl

Reads `{"category", "function", "answer", "output"}` a line, prints `[valid, error type]` a line. As in its runner, an
output that is no list of one-key objects is refused before the checker sees it, and (ir)relevance asks for no call or
for one. Its table of models would bring every vendor's library along; only one setting of it is read, and stands here.
It knows no file of ours, since its environment has nothing of ours.
"""

from __future__ import annotations

import json
import sys
from types import ModuleType, SimpleNamespace
from typing import Any

MODEL = "any"
_models: Any = ModuleType("bfcl_eval.constants.model_config")
_models.MODEL_CONFIG_MAPPING = {MODEL: SimpleNamespace(underscore_to_dot=False)}
sys.modules[_models.__name__] = _models

from bfcl_eval.constants.enums import Language  # noqa: E402
from bfcl_eval.eval_checker.ast_eval.ast_checker import ast_checker  # noqa: E402


def calls(output: Any) -> bool:
    """Return whether an output is a list of one-key objects with arguments."""
    return isinstance(output, list) and all(
        isinstance(call, dict) and len(call) == 1 and all(isinstance(value, dict) for value in call.values())
        for call in output
    )


def judged(row: dict[str, Any]) -> list[Any]:
    """Return whether the output of a row is valid, and the error type where the checker gives one."""
    category, output = row["category"], row["output"]
    if "relevance" in category:
        called = calls(output) and bool(output)
        return [called == ("irrelevance" not in category), None]
    if not calls(output):
        return [False, "ast_decoder:decoder_wrong_output_format"]
    found = ast_checker(row["function"], output, row["answer"], Language.PYTHON, category, MODEL)
    return [found["valid"], None if found["valid"] else found["error_type"]]


if __name__ == "__main__":
    for line in sys.stdin:
        print(json.dumps(judged(json.loads(line))))
