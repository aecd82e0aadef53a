"""The door to suites: get one with `load` or `expand`, guard it with `check_split` and `require_parts`.

`located.py` reads files with their lines, `templates.py` the templates, which `template_checks.py` checks, `pools.py`
divides slot values, `expand.py` makes scenarios, `load.py` reads plain files, `splits.py` holds suite and guards.
"""

from __future__ import annotations

from evaluation.expand import draw_further, expand, intent_of
from evaluation.load import builtin_suites, builtin_tools, load, save_jsonl
from evaluation.located import SuiteError
from evaluation.splits import Suite, check_split, join_groups, part_of_group, require_parts

__all__ = [
    "Suite",
    "SuiteError",
    "builtin_suites",
    "builtin_tools",
    "check_split",
    "draw_further",
    "expand",
    "intent_of",
    "join_groups",
    "load",
    "part_of_group",
    "require_parts",
    "save_jsonl",
]
