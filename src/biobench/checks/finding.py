"""What is wrong with a task's data, and what is only to be known: one function a question.

findings = find(Data(manifest, protocol, expected, missing, looked, contents))
"""

import dataclasses
from collections.abc import Callable, Iterator, Mapping

import polars as pl

from biobench.data import Manifest, traps
from biobench.data.checked import Finding
from biobench.data.crops import Crop
from biobench.data.expected import Expected
from biobench.data.images import UndecodableImage
from biobench.data.near import MAX_DISTANCE, find_nearest
from biobench.data.picture_files import show_name, show_names
from biobench.evaluate import Protocol
from biobench.probes import get_rejected

__all__ = ["Data", "find"]

RARE = 5
"""training examples under which a class is rare."""
SMALL = 32
"""pixels of the shorter side under which a picture is small: most backbones see 14 or 16 of them as
one."""
N_SHOWN = 3
_LEGAL = frozenset({"test classes that training lacks"})
"""traps that published data may have by design."""
TOGETHER = (
    *("camera", "camera_id", "deployment", "deployment_id", "event", "event_id", "individual"),
    *("location", "location_id", "observation", "sequence", "sequence_id", "site", "specimen_id"),
)
"""columns, in lower case, whose values should be on one side of a split."""


@dataclasses.dataclass(frozen=True)
class Data:
    """A task's data, and what was seen of its pictures."""

    manifest: Manifest
    protocol: Protocol
    expected: Expected | None
    """the published counts; None for a user's own data."""
    missing: Mapping[str, str]
    """image -> why there is no file."""
    looked: pl.DataFrame
    """columns `data.looking.LOOKED`, of the pictures that were read."""
    contents: Mapping[str, str]
    """image -> hash of its bytes, for as many as are known."""

    @property
    def rejects(self) -> str | None:
        """The label of what is of no training class, where the probe can say so."""
        return get_rejected(self.protocol.probe)

    @property
    def scored(self) -> pl.DataFrame:
        """The rows of training and of the test split."""
        return self.manifest.split("train", self.protocol.test_split)


def find(data: Data) -> list[Finding]:
    """Every finding, trouble first."""
    found = [
        *_find_missing(data),
        *_find_undecodable(data),
        *_find_counts(data),
        *_find_traps(data),
        *_find_torn(data),
        *_find_near(data),
        *_find_rare(data),
        *_find_untested(data),
        *_find_small(data),
        *_find_bad_boxes(data),
        *_find_left_out(data),
    ]
    return sorted(found, key=lambda finding: not finding.is_trouble)


def _find_missing(data: Data) -> Iterator[Finding]:
    if names := list(data.missing):
        yield Finding(
            "pictures that are missing",
            len(names),
            f"{len(names):,} pictures are not there ({show_names(names)}): a run would stop; bring "
            "them back, or correct the table that names them.",
        )


def _find_undecodable(data: Data) -> Iterator[Finding]:
    bad = data.looked.filter(pl.col("reason").is_not_null())
    if bad.height:
        shown = _show_first(bad, "reason", lambda reason: f": {reason}")
        yield Finding(
            "pictures that cannot be decoded",
            bad.height,
            f"{bad.height:,} of {data.looked.height:,} pictures that were read cannot be decoded "
            f"({shown}).",
        )


def _find_counts(data: Data) -> Iterator[Finding]:
    expected, table = data.expected or Expected(), data.manifest.table
    wrong = []
    for what, counts, column in (
        ("pictures", expected.images, "image"),
        ("examples", expected.examples, "example"),
    ):
        for split, n in counts.items():
            found = table.filter(pl.col("split") == split)[column].n_unique()
            if found != n:
                wrong.append(f"{found:,} {what} in '{split}' instead of {n:,}")
    n_images = table["image"].n_unique()
    n_left_out = sum(data.manifest.dropped.values())
    # What the task leaves out is among what was published.
    if expected.total and not n_images <= expected.total <= n_images + n_left_out:
        wrong.append(
            f"{n_images:,} pictures ({n_left_out:,} left out) instead of {expected.total:,}"
        )
    # What is only there to be rejected is no class.
    classes = table.filter(
        ~pl.col("split").is_in(data.protocol.also_score) & pl.col("label").ne_missing(data.rejects)
    )
    for what, n, found in (
        ("classes", expected.classes, classes["label"].n_unique()),
        ("subtasks", expected.subtasks, table["subtask"].n_unique()),
    ):
        if n and found != n:
            wrong.append(f"{found:,} {what} instead of {n:,}")
    if wrong:
        yield Finding(
            "counts that differ from the published ones",
            len(wrong),
            f"The counts differ from the published ones: {'; '.join(wrong)} ({expected.source}).",
        )


def _find_traps(data: Data) -> Iterator[Finding]:
    for trap in traps.find_traps(data.scored, data.contents, data.rejects):
        is_trouble = data.expected is None or trap.kind not in _LEGAL
        yield Finding(trap.kind, trap.n, trap.sentence, is_trouble)


def _find_torn(data: Data) -> Iterator[Finding]:
    """Cameras, sequences and the like on both sides, where they are not the groups already."""
    rows = data.scored
    for column in rows.columns:
        if column.lower() not in TOGETHER or rows[column].cast(pl.String).equals(rows["group"]):
            continue
        if trap := traps.find_torn(rows, column):
            yield Finding(trap.kind, trap.n, trap.sentence)


def _find_near(data: Data) -> Iterator[Finding]:
    rows = traps.with_side(data.scored).join(
        data.looked.select("image", "print").drop_nulls(), on="image", maintain_order="left"
    )
    shared = traps.find_shared(data.scored, data.contents)
    pairs = [_match(part) for part in rows.partition_by("subtask", maintain_order=True)]
    if not pairs:
        return
    near = pl.concat(pairs).join(
        shared, on=["subtask", "example"], how="anti", nulls_equal=True, maintain_order="left"
    )
    near = near.unique(["subtask", "example"], keep="first", maintain_order=True)
    if near.height:
        shown = _show_first(near, "other", lambda other: f" and {show_name(other)}")
        yield Finding(
            "test examples with nearly the same picture in training",
            near.height,
            f"{near.height:,} test examples have a picture that is nearly the same as one in "
            f"training (at most {MAX_DISTANCE} of 64 bits of a perceptual hash differ: {shown}).",
        )


def _match(rows: pl.DataFrame) -> pl.DataFrame:
    """The tested rows of one subtask that have a near picture on another side: `other`."""
    at = find_nearest(
        rows["print"].to_numpy(),
        rows["side"].rank("dense").cast(pl.Int64).to_numpy(),
        rows["tested"].to_numpy(),
    )
    others = rows["image"].gather(pl.Series(at).clip(0))
    return rows.with_columns(others.alias("other")).filter(pl.Series(at >= 0))


def _find_rare(data: Data) -> Iterator[Finding]:
    train = data.manifest.split("train").unique(["subtask", "example"], maintain_order=True)
    counts = train.group_by("subtask", "label", maintain_order=True).len().sort("len")
    rare = counts.filter(pl.col("len") < RARE)
    if rare.height:
        yield Finding(
            "rare classes",
            rare.height,
            f"{rare.height:,} of {counts.height:,} classes have fewer than {RARE} training "
            f"examples ({show_names(rare['label'].to_list())}).",
            is_trouble=False,
        )


def _find_untested(data: Data) -> Iterator[Finding]:
    if data.protocol.folds_test or data.protocol.leave_one_out:
        return
    keys = ["subtask", "label"]
    train = data.manifest.split("train").select(keys).unique(maintain_order=True)
    test = data.manifest.split(data.protocol.test_split).select(keys).unique()
    alone = train.join(test, on=keys, how="anti", nulls_equal=True, maintain_order="left")
    if alone.height:
        yield Finding(
            "training classes that the test lacks",
            alone.height,
            f"{alone.height:,} classes of training are not in the test "
            f"({show_names(alone['label'].to_list())}): nothing is measured of them.",
            is_trouble=False,
        )


def _find_small(data: Data) -> Iterator[Finding]:
    small = data.looked.filter(pl.min_horizontal("width", "height") < SMALL)
    if small.height:
        yield Finding(
            "small pictures",
            small.height,
            f"{small.height:,} pictures are under {SMALL} pixels high or wide "
            f"({show_names(small['image'].to_list())}).",
            is_trouble=False,
        )


def _find_bad_boxes(data: Data) -> Iterator[Finding]:
    """Boxes that a run with --crop could make nothing of."""
    if "box" not in data.manifest.table.columns:
        return
    sizes = data.looked.select("image", "width", "height").drop_nulls()
    rows = data.manifest.table.select("image", "box").drop_nulls()
    bad, n = [], 0
    for image, box, width, height in rows.join(sizes, on="image", maintain_order="left").rows():
        n += 1
        try:
            Crop(image, tuple(box), "box").place(width, height)
        except UndecodableImage as err:
            bad.append(f"{show_name(image)}: {err}")
    if bad:
        shown = "; ".join(bad[:N_SHOWN]) + "; …" * (len(bad) > N_SHOWN)
        yield Finding(
            "boxes that cannot be cropped",
            len(bad),
            f"{len(bad):,} of {n:,} boxes cannot be cropped ({shown}); a run with --crop counts "
            "them as pictures that cannot be read.",
            is_trouble=False,
        )


def _find_left_out(data: Data) -> Iterator[Finding]:
    if n := sum(data.manifest.dropped.values()):
        yield Finding("left out", n, f"{data.manifest.describe()}.", is_trouble=False)
    for note in data.manifest.notes:
        yield Finding("notes on how the data were read", 1, note, is_trouble=False)


def _show_first(rows: pl.DataFrame, column: str, say: Callable[[str], str]) -> str:
    """The first pictures, each with what `say` makes of its value of a column."""
    shown = "; ".join(
        f"{show_name(image)}{say(value)}"
        for image, value in rows.select("image", column).head(N_SHOWN).iter_rows()
    )
    return shown + "; …" * (rows.height > N_SHOWN)
