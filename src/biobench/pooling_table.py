"""Which vector of a checkpoint is benchmarked, and who says so: one table, `pooling_table.toml`.

    row = find_row("timm", "vit_base_patch16_dinov3.lvd1689m")
    row.pool, row.source      # "cls", "DINOv3 (Siméoni et al., 2025), …"

Each adapter has rows, and the first that matches a checkpoint's name (of `hf`: the `model_type` of
its configuration) counts.
"""

import dataclasses
import fnmatch
import functools
import pathlib
import tomllib
import typing
from collections.abc import Mapping, Sequence

__all__ = ["WORDS", "Row", "find_row", "list_rows"]

WORDS = {
    "cls": "the class token",
    "mean": "the mean over the patches",
    "max": "the maximum over the patches",
    "map": "the attention-pooling head",
    "own": "what the library pools by itself",
}
"""how a pooling is called in sentences."""


@dataclasses.dataclass(frozen=True)
class Row:
    """What the authors of some checkpoints evaluate."""

    adapter: str
    match: Sequence[str]
    """shell patterns."""
    pool: typing.Literal["cls", "mean", "max", "map", "own"]
    source: str
    note: str = ""
    model: str = ""
    """hf: the class of transformers."""
    output: str = ""
    """hf: the field of the model's output that is the vector; "": pooled from its tokens."""
    head: str = ""
    """hf: the field of the configuration that says whether there is an attention-pooling head,
    whose output then is the vector; without it, the mean over the patches is."""
    cls: int | str = 0
    registers: int | str = 0
    """hf: tokens before the patches; a number, or the field of the configuration with it."""
    layout: typing.Literal["", "NHWC"] = ""
    pixels: typing.Literal["", "raw"] = ""
    """hf: raw where pixels go from 0 to 1, because the model normalises them, or none are."""
    options: Mapping[str, object] = dataclasses.field(default_factory=dict)
    """hf: what the class is given beside its configuration."""

    def describe(self) -> str:
        """What it is, and what is to be known of it."""
        return WORDS[self.pool] + (f"; {self.note}" if self.note else "")


@functools.cache
def list_rows() -> list[Row]:
    """Every row, in the order in which they are asked."""
    path = pathlib.Path(__file__).with_suffix(".toml")
    table = tomllib.loads(path.read_text(encoding="utf-8"))
    return [Row(adapter, **row) for adapter, rows in table.items() for row in rows]


def find_row(adapter: str, *names: str) -> Row | None:
    """The first row of an adapter that one of `names` matches; None where there is none."""
    for row in list_rows():
        if row.adapter == adapter and any(
            fnmatch.fnmatchcase(name, pattern) for pattern in row.match for name in names
        ):
            return row
    return None
