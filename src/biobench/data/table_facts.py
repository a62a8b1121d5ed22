"""What a table of pictures says of them besides label and split, under the manifest's names.

    table, facts, shared = take(table, roles, given)

A column may be a role and a fact: `deployment_id` is the group and the deployment, `species` the
label and the species.
"""

from collections.abc import Mapping

import polars as pl

from biobench.data import box_columns
from biobench.data.knowledge import FACTS, bring_into_form, find_facts
from biobench.errors import BadInput

__all__ = ["NAMES", "take"]

NAMES = (*FACTS, "box")
"""what `--columns` can name besides the roles."""


def take(
    table: pl.DataFrame, roles: Mapping[str, str], given: Mapping[str, str]
) -> tuple[pl.DataFrame, dict[str, str], dict[str, str]]:
    """The table with its facts and boxes under the manifest's names; what each was called; and
    fact -> column of those that are roles, too, which stay where they are.

    roles: role -> its column, which is left as it is. given: names by role or fact; empty is none.
    Columns of which nothing can be read as what they are called are left alone.
    """
    found = find_facts(table.columns)
    if roles.get("label") == found.get("class"):
        # What a picture shows, not the taxon above the order.
        found.pop("class", None)
    found = {fact: name for fact, name in found.items() if _is_readable(table[name], fact)}
    found |= {fact: name for fact, name in given.items() if fact in FACTS}
    found = {fact: name for fact, name in found.items() if name}
    table, where = _take_boxes(table, given)
    own = {fact: name for fact, name in found.items() if name not in roles.values()}
    for fact, name in own.items():
        if fact == name or name not in table.columns:
            continue
        # A further column may have the fact's name: it keeps its values under another.
        if fact in table.columns:
            table = table.rename({fact: f"{fact}_"})
        table = table.rename({name: fact})
    shared = {fact: name for fact, name in found.items() if name in roles.values()}
    return table, own | ({"box": where} if where else {}), shared


def _is_readable(column: pl.Series, fact: str) -> bool:
    if column.dtype.is_nested():
        return False
    if fact not in ("date", "latitude", "longitude"):
        return True
    return bool(bring_into_form(pl.DataFrame({fact: column}))[0][fact].count())


def _take_boxes(table: pl.DataFrame, given: Mapping[str, str]) -> tuple[pl.DataFrame, str]:
    """The table with its boxes in one column, and what the columns were called."""
    found = box_columns.find_boxes(table, given.get("box"))
    if found is None:
        return table, ""
    try:
        box = found.read(table)
    except TypeError as err:
        raise BadInput(
            f"columns: '{given.get('box', '')}' is to be the box, but {err}; name a column of x, "
            "y, width and height, or four columns with commas between."
        ) from err
    return table.drop(found.names).with_columns(box), ", ".join(found.names)
