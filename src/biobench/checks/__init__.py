"""Is a task's data what the task expects? Every question that can be asked before a run.

    checked = check(newt, newt.Args(datadir="/data/newt"))
    checked.troubles            # findings that make the data doubtful; none where they are whole

What is found is kept by the data's digest (`biobench.data.checked`) and stands in the report of
every later run on them. docs/check.md says what is looked for.
"""

import contextlib
import random
import types
from collections.abc import Sequence

import polars as pl

from biobench.args import Args
from biobench.checks.finding import Data, find
from biobench.data import Manifest, checked, contents
from biobench.data.checked import Checked, Finding
from biobench.data.looking import look
from biobench.errors import BadInput
from biobench.evaluate import Protocol

__all__ = ["SAMPLE", "Checked", "Finding", "check"]

SAMPLE = 2000
"""pictures that a fast check reads."""


def check(
    task: types.ModuleType,
    args: Args,
    *,
    fast: bool = False,
    sample: int = SAMPLE,
    n_jobs: int | None = None,
) -> Checked:
    """Look at a task's data, and keep what was found where every content is known.

    fast: read and decode only `sample` pictures, drawn by `args.seed`; the tables are gone through
        all the same.
    n_jobs: processes that decode; None is one a core.
    Data that cannot be loaded are a finding, too.
    """
    try:
        manifest, protocol = task.load(args), task.protocol(args)
    except BadInput as err:
        return Checked((Finding("data that cannot be loaded", 1, str(err)),))
    known = contents.lookup(manifest.root, manifest.images())
    there = [image for image in manifest.images() if image not in known.missing]
    drawn = _draw(there, sample, args.seed) if fast else there
    looked = look(manifest.root, drawn, n_jobs=n_jobs)
    hashes = _join(known, looked)
    pairs = zip(manifest.images(), hashes.to_list(), strict=True)
    hexes = {image: content.hex() for image, content in pairs if content is not None}
    expected = getattr(task, "EXPECTED", None)
    findings = find(Data(manifest, protocol, expected, known.missing, looked, hexes))
    found = Checked(tuple(findings), **_describe(manifest, protocol, looked))
    unread = set(there) - set(drawn) - set(hexes)
    # A run's digest holds every content: what is not read has none to be kept by.
    if not unread:
        with contextlib.suppress(OSError):
            checked.keep(manifest.digest(hashes), found)
    return found


def _draw(images: Sequence[str], n: int, seed: int) -> list[str]:
    """At most `n` images, in order."""
    if len(images) <= n:
        return list(images)
    chosen = random.Random(seed).sample(range(len(images)), n)
    return [images[position] for position in sorted(chosen)]


def _join(known: contents.Known, looked: pl.DataFrame) -> pl.Series:
    """The content of every image, as it was just read or as it is known."""
    read = looked.select(pl.col("image").alias("path"), pl.col("hash").alias("read"))
    joined = known.files.join(read, on="path", how="left", maintain_order="left")
    return joined.select(pl.coalesce("read", "hash").alias("hash"))["hash"]


def _describe(manifest: Manifest, protocol: Protocol, looked: pl.DataFrame) -> dict:
    splits = manifest.table.group_by("split").agg(pl.col("image").n_unique()).sort("split")
    sizes = looked.drop_nulls("width").sort(pl.col("width") * pl.col("height"), "image")
    described = {}
    if sizes.height:
        pairs = sizes.select("width", "height")
        medians = pairs.select(pl.all().median().cast(pl.Int64))
        described = {
            "smallest": pairs.row(0),
            "median": medians.row(0),
            "largest": pairs.row(-1),
        }
    test = set(manifest.split(protocol.test_split)["label"])
    # With folds, what is tested is trained on, too.
    train = set(manifest.split("train")["label"]) or test
    return {
        "n_train_classes": len(train),
        "n_test_classes": len(test),
        "shared_classes": tuple(sorted(train & test)),
        "splits": dict(splits.iter_rows()),
        "n_pictures": len(manifest.images()),
        "n_classes": manifest.table["label"].n_unique(),
        "n_read": looked.height,
        "sizes": described,
    }
