"""Some of the listed checkpoints, by name, family, size and what they have seen.

choose(family="dinov2", max_params=parse_count("100M"), seen="imagenet1k")
"""

import fnmatch
import re
from collections.abc import Sequence

from biobench.catalog.checkpoint_list import Checkpoint, find_checkpoint, read_checkpoints
from biobench.catalog.contamination import list_known, list_tasks
from biobench.errors import BadInput, did_you_mean, find_close

__all__ = ["choose", "parse_count"]

_UNITS = {"": 1, "k": 1e3, "m": 1e6, "b": 1e9, "g": 1e9}


def choose(
    names: Sequence[str] = (),
    *,
    family: str = "",
    max_params: float | None = None,
    seen: str = "",
) -> list[Checkpoint]:
    """The checkpoints that all of these hold for, in the list's order.

    names: ORG:CKPT, or shell patterns of them. family: whatever its capitals, blanks and hyphens.
    max_params: those of unknown size are left out. seen: a task, a data set or a source of pictures
    that pretraining is known to hold. Raises BadInput for a name, family, task, data set or source
    that is not there, naming the closest.
    """
    every = list(read_checkpoints())
    found = _keep_named(every, names) if names else every
    if family:
        found = _keep_family(found, family)
    if max_params is not None:
        found = [one for one in found if one.params is not None and one.params <= max_params]
    if not seen:
        return found
    wanted = seen.casefold()
    if wanted not in list_known():
        hint = did_you_mean(wanted, list_known())
        raise BadInput(
            f"--seen {seen}: no task, data set or source of pictures is called so.{hint} "
            f"The tasks are {', '.join(list_tasks())}."
        )
    return [one for one in found if wanted in one.seen or wanted in one.contents]


def parse_count(text: str) -> float:
    """A number as people write it: 86000000, 86e6, 86M, 1.1B; raises BadInput for anything else."""
    found = re.fullmatch(
        r"(\d+(?:\.\d*)?(?:e\d+)?)([kmbg]?)", text.strip().lower().replace(",", "")
    )
    if found is None:
        raise BadInput(f"--max-params {text} is no number; write for example 100M or 1.2B.")
    return float(found[1]) * _UNITS[found[2]]


def _keep_named(every: list[Checkpoint], names: Sequence[str]) -> list[Checkpoint]:
    kept: set[str] = set()
    for name in names:
        one = find_checkpoint(name)
        matching = fnmatch.filter([one.name for one in every], name)
        if one is None and not matching:
            hint = did_you_mean(name, [one.name for one in every])
            raise BadInput(
                f"The list has no checkpoint '{name}'.{hint} It may run all the same: "
                "`biobench models --adapters` says how names are written."
            )
        kept |= {one.name} if one is not None else {*matching}
    return [one for one in every if one.name in kept]


def _keep_family(found: list[Checkpoint], family: str) -> list[Checkpoint]:
    families = {_simplify(one.family): one.family for one in read_checkpoints()}
    wanted = families.get(_simplify(family))
    if wanted is None:
        close = find_close(_simplify(family), families)
        hint = "" if close is None else f" Did you mean '{families[close]}'?"
        raise BadInput(
            f"--family {family}: no family is called so.{hint} "
            f"There are: {', '.join(sorted(families.values()))}."
        )
    return [one for one in found if one.family == wanted]


def _simplify(family: str) -> str:
    return family.casefold().replace(" ", "").replace("-", "")
