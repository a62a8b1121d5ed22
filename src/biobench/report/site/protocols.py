"""What a column of the leaderboard was run with: the axes that are never mixed.

column = describe_column("birds [n_train=5]", "birds [n_train=5]", reports)
column.base, column.shots, column.probe
"""

import dataclasses
from collections.abc import Sequence

__all__ = ["Column", "describe_column"]


@dataclasses.dataclass(frozen=True)
class Column:
    """A task under one protocol."""

    task: str
    """the leaderboard's column."""
    heading: str
    """as it is called for people."""
    base: str
    """the task, whatever its protocol."""
    kind: str
    """the task's module, by its registered name."""
    title: str
    """the task's name in the field, as its reports have it."""
    metric: str
    probe: str
    n_train: int
    """training examples, -1 for all that there are."""
    n_train_unit: str
    """what n_train counts by: "class", or "total"."""
    n_seeds: int
    preset: str
    """the protocol's preset; empty for the task's own."""

    @property
    def shots(self) -> str:
        """How many training examples, in words."""
        if self.n_train < 0:
            return "all training examples"
        return f"{self.n_train:,} {'in all' if self.n_train_unit == 'total' else 'a class'}"


def describe_column(task: str, heading: str, reports: Sequence[dict]) -> Column:
    """What the reports of a column have in common."""
    first = reports[0]
    protocol = first["provenance"]["protocol"]
    metric, probe, n_train = (protocol.get(name) for name in ("metric", "probe", "n_train"))
    return Column(
        task=task,
        heading=heading,
        base=first["task"],
        kind=_find_kind(first),
        title=first["name"],
        metric=metric if isinstance(metric, str) else "of its own",
        probe=str(probe) if probe else "unknown",
        n_train=n_train if isinstance(n_train, int) else -1,
        n_train_unit=str(protocol.get("n_train_unit", "class")),
        n_seeds=len({report["provenance"]["protocol"].get("seed") for report in reports}),
        preset=str(protocol.get("preset") or ""),
    )


def _find_kind(report: dict) -> str:
    config = report.get("config")
    kind = config.get("kind") if isinstance(config, dict) else None
    return kind if isinstance(kind, str) else report["task"]
