"""Data sets that are published as one folder a split, and in it one folder a class.

    table, left_out = read_class_folders(root, {"train": "train_mini", "val": "val"}, "iNat21")

A picture's id is its path; what lies outside a class's folder is left out, and listed.
"""

import dataclasses
import pathlib
from collections.abc import Mapping

import polars as pl

from biobench.data.manifest import require_folder
from biobench.data.picture_files import LeftOut, list_pictures

__all__ = ["OUTSIDE", "read_class_folders"]

OUTSIDE = "pictures outside a class folder"


def read_class_folders(
    root: pathlib.Path, folders: Mapping[str, str], what: str
) -> tuple[pl.DataFrame, list[LeftOut]]:
    """The columns image, example, split, label: one row a picture of `<folder>/<class>/<picture>`.

    folders: the folder below `root` of each split. what: the data set's name, for errors.
    Raises BadInput where a folder is not there.
    """
    rows: list[tuple[str, str, str]] = []
    left_out: list[LeftOut] = []
    for split, folder in folders.items():
        path = require_folder(
            root / folder, f"{what}'s split '{split}'", "extract the whole data set there."
        )
        found = list_pictures(path)
        left_out += [
            dataclasses.replace(out, path=f"{folder}/{out.path}") for out in found.left_out
        ]
        for name in found.names:
            label, _, rest = name.partition("/")
            if not rest or "/" in rest:
                left_out.append(LeftOut(f"{folder}/{name}", OUTSIDE))
            else:
                rows.append((f"{folder}/{name}", split, label))
    schema = {"image": pl.String, "split": pl.String, "label": pl.String}
    table = pl.DataFrame(rows, schema=schema, orient="row")
    return table.with_columns(pl.col("image").alias("example")), left_out
