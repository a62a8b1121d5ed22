"""What classes are called: a table of names, and lists of the species that there can be.

    names = read_names(Path("names.csv"))           # label, scientific, common, kingdom … species
    found = read_candidates(Path("region.txt"))     # the same columns, and text
    classes = match_candidates(found, known)        # the rows of `known` that are meant, and others

A names table has one row a label of the data. A list of candidates is such a table, too, or one
name a line.
"""

import pathlib
from collections.abc import Mapping, Sequence

import polars as pl

from biobench.data.picture_files import show_names
from biobench.data.plaintext import read_any_table
from biobench.errors import BadInput

__all__ = ["COLUMNS", "NAMES", "TAXA", "get_scientific", "match_candidates", "read_candidates"]
__all__ += ["read_names", "to_words"]

TAXA = ("kingdom", "phylum", "class", "order", "family", "tribe", "genus", "species")
"""columns that are taxonomic ranks, the highest first."""

NAMES = ("scientific", "common", *TAXA, "text")
"""columns that say what a class is called. text: where the kind of name is not known."""
COLUMNS = ("label", "subtask", *NAMES)
"""of every table of names, all of them texts."""

_ALSO = {
    "scientific_name": "scientific",
    "scientificname": "scientific",
    "common_name": "common",
    "commonname": "common",
    "vernacular_name": "common",
    "vernacularname": "common",
    # As iWildCam's table of categories has them.
    "y": "label",
    "name": "text",
}
"""usual names of columns, in lower case."""


def read_names(path: pathlib.Path) -> pl.DataFrame:
    """The names of labels, one row a label (and subtask), columns `COLUMNS`.

    path: CSV, TSV or Parquet with a column label, and some of scientific, common, kingdom, phylum,
        class, order, family, tribe, genus, species, name (of any kind); subtask, where labels of
        several mean others.
    Raises BadInput naming the file and what is wrong in it.
    """
    table = read_any_table(path, _count_known).table
    roles = _find_roles(table.columns, path)
    found = ", ".join(table.columns)
    if "label" not in roles:
        raise BadInput(
            f"{path}: no column label (found: {found}); give each label of the data a row, with "
            "its names in columns scientific, common, or kingdom to species."
        )
    if not set(roles) & set(NAMES):
        raise BadInput(
            f"{path}: no column with names (found: {found}); add scientific, common, or some of "
            f"{', '.join(TAXA)}."
        )
    names = _to_names(table, roles)
    unlabelled = names["label"].is_null().arg_true()
    if len(unlabelled):
        raise BadInput(
            f"{path}: row {unlabelled[0] + 1} has no label; fill it in or remove the row."
        )
    names = names.unique(maintain_order=True)
    twice = names.filter(pl.struct("subtask", "label").is_duplicated())["label"]
    if len(twice):
        raise BadInput(
            f"{path}: the label '{twice[0]}' has two rows that differ; keep one row a label."
        )
    return names


def read_candidates(path: pathlib.Path) -> pl.DataFrame:
    """The species that there can be, one a row, columns `COLUMNS`.

    path: a text with one name a line (as labels, scientific or common names are written), or a
        table with columns as `read_names` has them, of which one is enough.
    Raises BadInput naming the file and what is wrong in it.
    """
    table = read_any_table(path, _count_known).table
    roles = _find_roles(table.columns, path)
    if roles:
        names = _to_names(table, roles)
    elif len(table.columns) == 1:
        # It has no header: that line is a name, too.
        lines = [table.columns[0], *table.to_series().to_list()]
        words = [to_words(str(line)) for line in lines]
        names = _to_names(pl.DataFrame({"text": words}), {"text": "text"})
    else:
        raise BadInput(
            f"{path}: no column label, scientific or common (found: {', '.join(table.columns)}); "
            "name one so, or write one name a line."
        )
    named = pl.any_horizontal(pl.col(name).is_not_null() for name in COLUMNS if name != "subtask")
    names = names.filter(named).unique(maintain_order=True)
    if not names.height:
        raise BadInput(f"{path} names no species; write one a line.")
    return names


def match_candidates(candidates: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    """One row a class that can be predicted: the rows of `known` that candidates mean, and then
    those candidates that mean none, as classes of their own.

    known: columns `COLUMNS`, one row a label. A candidate means every class that has its label, or
    else its scientific, or else its common name; case, spaces and underscores do not count.
    """
    index: dict[str, dict[str, list[int]]] = {"label": {}, "scientific": {}, "common": {}}
    for number, row in enumerate(known.rows(named=True)):
        for kind, name in _list_names(row):
            numbers = index[kind].setdefault(_fold(name), [])
            numbers += [number] * (number not in numbers)
    chosen: dict[int, None] = {}
    others: dict[str, dict[str, object]] = {}
    for row in candidates.rows(named=True):
        found = next(
            (hit for kind, name in _list_names(row) if (hit := index[kind].get(_fold(name)))), None
        )
        if found:
            chosen |= dict.fromkeys(found)
        else:
            label = row["label"] or get_scientific(row) or row["common"] or row["text"]
            others.setdefault(_fold(label), {**row, "label": label})
    rest = pl.DataFrame(list(others.values()), schema=dict.fromkeys(COLUMNS, pl.String))
    return pl.concat([known[list(chosen)].select(COLUMNS), rest])


def get_scientific(names: Mapping[str, str | None]) -> str | None:
    """The scientific name, else the species' or that of the lowest rank that is known."""
    if names["scientific"]:
        return names["scientific"]
    return _get_binomial(names) or next((names[r] for r in reversed(TAXA) if names[r]), None)


def to_words(label: str) -> str:
    """A label as it is read aloud: underscores are spaces."""
    return " ".join(label.replace("_", " ").split())


def _count_known(columns: Sequence[str]) -> int:
    return sum(_get_role(column)[0] is not None for column in columns)


def _get_role(column: str) -> tuple[str | None, bool]:
    """What a column holds, and whether it is called just so."""
    name = "_".join(column.strip().lower().split())
    is_exact = name in COLUMNS and name != "text"
    return (name if is_exact else _ALSO.get(name)), is_exact


def _find_roles(columns: Sequence[str], path: pathlib.Path) -> dict[str, str]:
    """The column of each role; raises BadInput where two have one and none is called just so."""
    roles: dict[str, str] = {}
    found = [(*_get_role(column), column) for column in columns]
    for role, is_exact, column in sorted(found, key=lambda entry: not entry[1]):
        if role in roles and not _get_role(roles[role])[1]:
            shown = show_names([roles[role], column])
            raise BadInput(f"{path}: the columns {shown} both read as {role}; remove one.")
        if role is not None and (is_exact or role not in roles):
            roles[role] = column
    return roles


def _to_names(table: pl.DataFrame, roles: dict[str, str]) -> pl.DataFrame:
    """The columns of all roles as texts; null where a value is empty."""
    made = []
    for role in COLUMNS:
        value = pl.lit(None, pl.String)
        if role in roles:
            value = pl.col(roles[role]).cast(pl.String)
            # A label is the data's, space by space.
            value = value if role == "label" else value.str.strip_chars()
        made.append(pl.when(value.str.strip_chars() != "").then(value).alias(role))
    return table.select(made)


def _list_names(row: Mapping[str, str | None]) -> list[tuple[str, str]]:
    """What a class is called, each with the kind of name, that which tells most first."""
    names = [("label", row["label"]), ("scientific", row["scientific"])]
    names += [("scientific", _get_binomial(row)), ("common", row["common"])]
    names += [(kind, row["text"]) for kind in ("label", "scientific", "common")]
    return [(kind, name) for kind, name in names if name]


def _get_binomial(row: Mapping[str, str | None]) -> str | None:
    """The species with its genus, where both are known or the species names both."""
    species, genus = row["species"], row["genus"]
    return f"{genus} {species}" if species and genus and " " not in species else species


def _fold(name: str) -> str:
    return to_words(name).casefold()
