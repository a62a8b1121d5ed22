"""What `biobench check` found, kept by the data's digest, for the reports of later runs.

keep(manifest.digest(hashes), checked)
recall(digest)      # Checked, or None: data that have changed are other data

CONTENTS/checks/<digest>.json       beside the index of contents (`biobench.data.content_index`)
"""

import dataclasses
import pathlib
import re
from collections.abc import Collection

import msgspec

from biobench import atomic
from biobench.data.content_index import CHECKS, contents_root

__all__ = ["Checked", "Finding", "keep", "recall", "summarise"]


@dataclasses.dataclass(frozen=True)
class Finding:
    """One kind of trouble in the data, or something to know of them."""

    kind: str
    """what is counted, in the plural."""
    n: int
    sentence: str
    is_trouble: bool = True
    """whether the data are not as they should be; else it is only to be known."""


@dataclasses.dataclass(frozen=True)
class Checked:
    """What a check saw of a task's data."""

    findings: tuple[Finding, ...]
    splits: dict[str, int] = dataclasses.field(default_factory=dict)
    """pictures of each split; empty where the data could not be loaded."""
    n_pictures: int = 0
    n_classes: int = 0
    n_train_classes: int = 0
    n_test_classes: int = 0
    shared_classes: tuple[str, ...] = ()
    """the classes that are in training and in the test, in order."""
    n_read: int = 0
    """pictures that were read and decoded: all of them, or a sample."""
    sizes: dict[str, tuple[int, int]] = dataclasses.field(default_factory=dict)
    """width and height in pixels of the smallest and the largest picture by area, and the median
    of each."""

    @property
    def troubles(self) -> list[Finding]:
        """The findings that are trouble."""
        return [finding for finding in self.findings if finding.is_trouble]


def keep(digest: str, checked: Checked) -> None:
    """Keep what was found of the data of this digest; raises OSError.

    A check of a sample does not take the place of one of every picture.
    """
    before = recall(digest)
    if before and before.n_read > checked.n_read:
        return
    path = _get_path(digest)
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic.write(path, msgspec.json.encode(checked))


def recall(digest: str) -> Checked | None:
    """What was kept of the data of this digest; None where they were not checked."""
    try:
        return msgspec.json.decode(_get_path(digest).read_bytes(), type=Checked)
    except (OSError, ValueError):
        return None


def summarise(digest: str, known: Collection[str] = ()) -> tuple[dict[str, object], list[str]]:
    """What was kept of the data of this digest as plain JSON, and its troubles as sentences.

    known: kinds of findings that are said already.
    """
    checked = recall(digest)
    if checked is None:
        return {}, []
    summary: dict[str, object] = {
        "n_pictures": checked.n_pictures,
        "n_read": checked.n_read,
        "findings": [dataclasses.asdict(finding) for finding in checked.findings],
    }
    new = [finding for finding in checked.troubles if finding.kind not in known]
    return summary, [f"biobench check: {finding.sentence}" for finding in new]


def _get_path(digest: str) -> pathlib.Path:
    if not re.fullmatch("[0-9a-f]+", digest):
        raise ValueError(f"not a digest: {digest!r}")
    return contents_root() / CHECKS / f"{digest}.json"
