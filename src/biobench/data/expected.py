"""The published size of a task's data, as data: what a whole copy of it holds.

    EXPECTED = Expected(images={"train": 243_916, "val": 31_118}, classes=1081, source="…")

A task module names it `EXPECTED`; a count that was never published is not in it.
"""

import dataclasses
from collections.abc import Mapping

__all__ = ["Expected"]


@dataclasses.dataclass(frozen=True)
class Expected:
    """Counts as published."""

    images: Mapping[str, int] = dataclasses.field(default_factory=dict)
    """pictures of each split that the task uses."""
    total: int | None = None
    """pictures of all splits together, where only that is published."""
    classes: int | None = None
    """classes of all splits together."""
    examples: Mapping[str, int] = dataclasses.field(default_factory=dict)
    """scored units of each split, where they are not single pictures: clips, observations."""
    subtasks: int | None = None
    """questions that are asked separately."""
    source: str = ""
    """where the counts are published."""
