"""Names for papers: models as a table is to call them.

selection = rename(select(results), ["timm:resnet50.a1_in1k=ResNet-50"])
"""

import dataclasses
from collections.abc import Sequence

import polars as pl

from biobench.errors import BadInput, did_you_mean
from biobench.report.selection import Selection

__all__ = ["find_model", "rename"]


def rename(selection: Selection, aliases: Sequence[str]) -> Selection:
    """The selection with other names of its rows.

    aliases: each ORG:CKPT=Name. Raises BadInput for a model that is not among the rows, naming the
    closest, and where a name would stand for two models.
    """
    names: dict[str, str] = {}
    for text in aliases:
        row, name = _parse(selection, text)
        if row in names:
            raise BadInput(f"--alias names {row} twice, '{names[row]}' and '{name}'; give one.")
        names[row] = name
    shown: dict[str, str] = {}
    for row in map(str, selection.runs["row"].unique().sort()):
        name = names.get(row, row)
        if name in shown:
            raise BadInput(
                f"--alias calls both {shown[name]} and {row} '{name}'; give each its own name."
            )
        shown[name] = row
    if not names:
        return selection
    runs = selection.runs.with_columns(
        pl.Series("row", [names.get(row, row) for row in selection.runs["row"]])
    )
    return dataclasses.replace(selection, runs=runs)


def find_model(selection: Selection, name: str, what: str = "") -> str:
    """The row that `name` means; raises BadInput, naming what there is, where it means none.

    what: whose value the name is, as "--alias", for the error.
    """
    rows = selection.runs.select("row", "model").unique().sort("row")
    known = rows["row"].to_list()
    if name in known:
        return name
    found = rows.filter(pl.col("model") == name)["row"].to_list()
    if len(found) == 1:
        return found[0]
    start = f"{what}: " if what else ""
    if found:
        raise BadInput(
            f"{start}{name} stood for several weights or precisions; "
            f"name one of {', '.join(found)}."
        )
    more = f" and {len(known) - 8:,} more" if len(known) > 8 else ""
    hint = did_you_mean(name, known) or f" There are: {', '.join(known[:8])}{more}."
    raise BadInput(f"{start}There is no run of {name}.{hint}")


def _parse(selection: Selection, text: str) -> tuple[str, str]:
    """(row, name) of ORG:CKPT=Name; either side may have equals signs of its own."""
    known = {*selection.runs["row"], *selection.runs["model"]}
    ends = [i for i, char in enumerate(text) if char == "="]
    end = max((i for i in ends if text[:i] in known), default=ends[0] if ends else -1)
    model, name = text[: max(end, 0)], text[end + 1 :].strip()
    if end < 0 or not model or not name:
        raise BadInput(f"--alias {text} is not ORG:CKPT=Name; write for example timm:a=ResNet.")
    return find_model(selection, model, "--alias"), name
