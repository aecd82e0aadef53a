"""Scenarios made from a list of tools: `read_tools` reads the list, `generate` makes and proves them.

`sources.py` tells which file it is; `values.py` draws arguments, `phrasing.py` says them, `kinds.py` puts a scenario
together, `proof.py` shows it to the oracle and to wrong agents, `making.py` repeats this; `by_model.py` lets a model
rephrase.
"""

from evaluation.generate.by_model import fell_back, with_model
from evaluation.generate.kinds import KINDS
from evaluation.generate.making import VERSION, Counts, Generated, generate
from evaluation.generate.sources import Sourced, SourceKind, SourceTool, read_tools

__all__ = [
    "KINDS",
    "VERSION",
    "Counts",
    "Generated",
    "SourceKind",
    "SourceTool",
    "Sourced",
    "fell_back",
    "generate",
    "read_tools",
    "with_model",
]
