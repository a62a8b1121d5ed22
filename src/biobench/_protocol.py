"""What decides a task's numbers besides data, model and `Args`: public as `evaluate.Protocol`."""

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal

from biobench.args import Args
from biobench.errors import BadInput

__all__ = ["Protocol", "check_preset"]

ORIGINAL = "original"


@dataclasses.dataclass(frozen=True)
class Protocol:
    """How a task turns features into a score: everything that is not data, model or `Args`."""

    title: str
    """the report's name."""
    probe: str
    """name of a probe (`biobench.probes`)."""
    metric: str
    """name of a metric (`biobench.metrics`)."""
    test_split: str = "test"
    also_score: tuple[str, ...] = ()
    """further splits whose predictions `calc_splits` is given."""
    pooling: Literal["none", "mean", "max"] = "none"
    """how the images of one example become one vector."""
    normalize: bool = False
    """scale each image's features to unit length before pooling."""
    version: int = 1
    """raised whenever the task's loader or protocol changes what it computes."""
    folds_test: int = 0
    """test every example once, in the folds of the manifest's column `fold`; 0: one test split."""
    leave_one_out: bool = False
    """test each example by all those of another `fold` (a probe of neighbours), and as a query."""
    apart: str = ""
    """a column: queries are also scored without neighbours that share its value."""
    preset: str = ""
    """the preset (`--protocol`) that it is of; empty for the task's original one."""

    def under(self, preset: str, presets: Mapping[str, Mapping[str, Any]]) -> "Protocol":
        """This one with what `presets[preset]` says instead; as it is, where that says nothing."""
        if preset not in presets:
            return self
        return dataclasses.replace(self, preset=preset, **presets[preset])


def check_preset(protocol: Protocol, args: Args) -> None:
    """Raise BadInput where the task does not have the preset that was asked for."""
    if args.protocol != (protocol.preset or ORIGINAL):
        raise BadInput(
            f"{protocol.title} has no protocol '{args.protocol}', only its own; leave it out for "
            "this task, and name the probe that you want with --probe (docs/protocols.md)."
        )
