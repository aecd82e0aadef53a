"""By what examples and scenarios are divided into slices."""

from __future__ import annotations

from enum import StrEnum


class By(StrEnum):
    """What slices are made by."""

    KIND = "kind"
    TOOL = "tool"
    TAG = "tag"
    TASK_KEY = "task_key"
    PART = "part"
    GROUP = "group"
