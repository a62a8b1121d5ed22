"""A table of pictures as its owner has it: columns by usual names, paths of any machine.

    found = read_picture_table(Path("cameras.csv"))
    found.table        # path (below found.root), label; where there are such: split, group, id,
                       # and what a picture knows (`biobench.data.knowledge`)
    found.notes        # what was guessed, one sentence each

Column names are recognised in any case and under the names that camera-trap, museum and machine
learning tools use; `columns` says it where they are called otherwise. Paths may have backslashes,
be absolute on another machine, or shout their suffix.
"""

import dataclasses
import os
import pathlib
from collections.abc import Mapping, Sequence

import polars as pl

from biobench.data import box_columns, table_facts
from biobench.data.knowledge import simplify
from biobench.data.listing import list_files
from biobench.data.manifest import require_plain
from biobench.data.picture_files import LeftOut, match_suffix_case, show_name
from biobench.data.plaintext import read_any_table
from biobench.errors import BadInput, find_close

__all__ = ["ROLES", "PictureTable", "parse_columns", "read_picture_table"]

ROLES = {
    "path": (
        *("path", "image", "file", "filepath", "file_path", "filename", "file_name"),
        *("image_path", "imagepath", "img", "img_path", "relative_path", "relativepath"),
        *("image_name", "photo", "photo_path", "picture", "media", "media_path"),
    ),
    "label": (
        *("label", "class", "species", "scientific_name", "scientificname", "taxon"),
        *("taxon_name", "category", "class_name", "species_name", "common_name", "commonname"),
        *("target", "y"),
    ),
    "split": ("split", "set", "subset", "partition"),
    "group": (
        *("group", "deployment_id", "deploymentid", "deployment", "camera", "camera_id"),
        *("cameraid", "camera_trap", "location_id", "locationid", "station", "site", "site_id"),
        *("specimen", "specimen_id", "individual", "individual_id", "observation_id"),
        *("observationid", "sequence_id", "sequenceid", "video", "video_id", "event_id"),
        *("eventid",),
    ),
    "id": ("id", "image_id", "imageid", "media_id", "mediaid", "photo_id"),
}
"""what a column can be -> the names by which it is known, the first that a table has is it."""

FOLDERS = ("relative_path", "relativepath", "directory", "folder", "dir", "subfolder")
"""names of a column that holds the folders of what the path column names, as Timelapse and camtrapR
write it."""

NEEDED = ("path", "label")
UNLABELLED = "rows without a label"
REPEATED = "rows that stand twice"
MISSING = "pictures that are missing"
PROBED = 200
"""paths by which a common part that is wrong here is looked for."""


@dataclasses.dataclass(frozen=True)
class PictureTable:
    """Rows of pictures: columns path (below `root`, forward slashes), label, further ones."""

    root: pathlib.Path
    table: pl.DataFrame
    notes: tuple[str, ...] = ()
    """what was guessed, one sentence each."""
    dropped: dict[str, int] = dataclasses.field(default_factory=dict)
    """rows left out, by reason."""
    left_out: tuple[LeftOut, ...] = ()
    """pictures left out, one by one."""
    names: dict[str, str] = dataclasses.field(default_factory=dict)
    """what the source calls the columns that are roles, by role."""


def parse_columns(words: Sequence[str]) -> dict[str, str]:
    """`ROLE=NAME` words as a mapping; raises BadInput on another word or an unknown role.

    Without a NAME no column has the ROLE, whatever is called so.
    """
    found = {}
    for word in words:
        role, sign, name = word.partition("=")
        known = (*ROLES, *table_facts.NAMES)
        if not sign or role not in known or not (name or role not in NEEDED):
            raise BadInput(
                f"columns: '{word}' must be written ROLE=NAME, as label=Species; the roles are "
                f"{', '.join(known)}."
            )
        found[role] = name
    return found


def read_picture_table(
    path: pathlib.Path,
    *,
    root: pathlib.Path | None = None,
    columns: Mapping[str, str] | None = None,
    needs: Sequence[str] = NEEDED,
    skip_missing: bool = False,
) -> PictureTable:
    """The pictures that a CSV, TSV or Parquet file lists.

    root: where its paths start; by default its own folder. columns: names of columns by role.
    needs: the roles that must be there. skip_missing: leave pictures out that are not there.
    Rows without a label and rows that stand twice are left out and counted. Raises BadInput on what
    cannot be understood, on a picture with two labels, and on missing pictures.
    """
    given = dict(columns or {})
    found = read_any_table(path, lambda names: len(_assign(names, {})))
    table, notes = _name_columns(found.table, given, path, needs)
    notes = [*found.notes, *notes]
    table = table.with_columns(
        pl.col(name).cast(pl.String).str.strip_chars() for name in ROLES if name in table.columns
    )
    table, dropped = _drop_rows(table, path, needs)
    if not table.height:
        raise BadInput(f"{path} lists no picture{_say_dropped(dropped)}; write one row a picture.")
    table, root, said = _find_pictures(table, root or path.parent, path, given_root=root)
    missing = list_files(root, table["path"].unique(maintain_order=True).to_list()).missing
    left_out: list[LeftOut] = []
    if missing:
        there = table.filter(~pl.col("path").is_in(list(missing)))
        if not (skip_missing and there.height):
            raise BadInput(_say_missing(missing, table, root, path))
        left_out = [LeftOut(show_name(name), MISSING) for name in missing]
        table = there
    if "box" in table.columns and box_columns.are_relative(table["box"]):
        pixels = box_columns.to_pixels(root, table["path"].to_list(), table["box"])
        table = table.with_columns(pixels)
        said = [*said, f"Boxes of {path.name} are fractions of the pictures, made pixels."]
    names = {r: n for r, n in _assign(found.table.columns, given).items() if r in table.columns}
    return PictureTable(root, table, (*notes, *said), dropped, tuple(left_out), names)


def _assign(names: Sequence[str], given: Mapping[str, str]) -> dict[str, str]:
    """Role -> the column that is it."""
    plain = {simplify(name): name for name in reversed(list(names))}
    found = {}
    for role, known in ROLES.items():
        name = given.get(role, next((plain[one] for one in known if one in plain), None))
        if name and name not in found.values():
            found[role] = name
    return found


def _name_columns(
    table: pl.DataFrame, given: Mapping[str, str], path: pathlib.Path, needs: Sequence[str]
) -> tuple[pl.DataFrame, list[str]]:
    for role, name in given.items():
        if (
            name
            and name not in table.columns
            and not (role == "box" and box_columns.find_boxes(table, name))
        ):
            plain = {simplify(one): one for one in table.columns}
            close = find_close(simplify(name), plain)
            hint = f" Did you mean '{plain[close]}'?" if close else ""
            raise BadInput(
                f"{path}: there is no column '{name}' for {role} (found: "
                f"{', '.join(table.columns)}).{hint}"
            )
    roles = _assign(table.columns, given)
    lacking = [role for role in needs if role not in roles]
    if lacking:
        raise BadInput(
            f"{path}: no column is known to be the {' or the '.join(lacking)} (found: "
            f"{', '.join(table.columns)}); say which with --columns "
            f"{' '.join(f'{role}=NAME' for role in lacking)}."
        )
    renamed = {name: role for role, name in roles.items()}
    require_plain(table.select(list(renamed)).rename(renamed), list(roles), str(path))
    if "id" in roles and "id" not in given and not _is_key(table[roles["id"]]):
        del roles["id"]
    is_guess = roles.get("group", "group") not in ("group", given.get("group"))
    if is_guess and table[roles["group"]].n_unique() < 2:
        # A group that all rows are in is none.
        del roles["group"]
    table, facts, shared = table_facts.take(table, roles, given)
    guessed = {r: n for r, n in (roles | facts).items() if n != r and r not in given}
    notes = []
    if guessed:
        words = ", ".join(f"{role} from '{name}'" for role, name in guessed.items())
        notes.append(f"Columns of {path.name}: {words} (--columns says otherwise).")
    table, said = _join_folders(table, roles, given, path)
    notes += said
    renamed = {name: role for role, name in roles.items()}
    # A further column may have a role's name: it keeps its values under another.
    clashes = {n: f"{n}_" for n in table.columns if n in ROLES and n not in renamed}
    taken = {fact: name for fact, name in shared.items() if renamed[name] != fact}
    table = table.rename(clashes | renamed)
    return table.with_columns(pl.col(renamed[n]).alias(fact) for fact, n in taken.items()), notes


def _join_folders(
    table: pl.DataFrame, roles: Mapping[str, str], given: Mapping[str, str], path: pathlib.Path
) -> tuple[pl.DataFrame, list[str]]:
    """The table with the folders before the files' names, where these are in two columns."""
    names = {simplify(name): name for name in reversed(table.columns)}
    folder = next((names[one] for one in FOLDERS if one in names), None)
    if "path" not in roles or "path" in given or folder in (None, *roles.values()):
        return table, []
    files, folders = table[roles["path"]], table[folder]
    if files.dtype != pl.String or folders.dtype != pl.String:
        return table, []
    if files.str.contains(r"[/\\]").any():
        return table, []
    joined = [
        file if not file or not above or not above.strip() else f"{above.strip()}/{file.strip()}"
        for file, above in zip(files, folders, strict=True)
    ]
    note = f"Paths of {path.name} are those of '{folder}' and '{roles['path']}' together."
    return table.with_columns(pl.Series(roles["path"], joined, dtype=pl.String)), [note]


def _is_key(column: pl.Series) -> bool:
    values = column.cast(pl.String)
    return not values.null_count() and values.n_unique() == len(values) and not (values == "").any()


def _drop_rows(
    table: pl.DataFrame, path: pathlib.Path, needs: Sequence[str]
) -> tuple[pl.DataFrame, dict[str, int]]:
    """The table without rows that say nothing or the same again, and how many there were."""
    dropped = {}
    empty = pl.col("path").is_null() | (pl.col("path") == "")
    row = table.select(empty.arg_true().alias("row"))["row"]
    if len(row):
        raise BadInput(f"{path}: row {row[0] + 1:,} has no path; fill it in or remove the row.")
    if "label" in needs:
        labelled = table.filter(pl.col("label").is_not_null() & (pl.col("label") != ""))
        if labelled.height < table.height:
            dropped[UNLABELLED] = table.height - labelled.height
        table = labelled
    path_column = pl.col("path").str.replace_all("\\", "/", literal=True)
    path_column = path_column.str.replace_all(r"^(file://)?(\./)*", "")
    table = table.with_columns(path_column.alias("path"))
    parts = [pl.col(name) for name in ROLES if name in table.columns]
    picture = [pl.col("path")]
    if "box" in table.columns:
        # A picture may stand in several rows, if each has a box of its own.
        picture.append(pl.col("box").cast(pl.List(pl.String)).list.join(" "))
    once = table.filter(pl.struct(*parts, *picture[1:]).is_first_distinct())
    if once.height < table.height:
        dropped[REPEATED] = table.height - once.height
    if "label" in once.columns and "id" not in once.columns:
        twice = once.filter(pl.struct(picture).is_duplicated())
        if twice.height:
            first = twice.filter(
                pl.struct(picture) == twice.select(pl.struct(picture).first()).item()
            )
            differ = [n for n in ("label", "split", "group") if n in first.columns]
            role = next(n for n in differ if first[n].n_unique() > 1)
            kinds = ", ".join(f"'{value}'" for value in first[role].unique(maintain_order=True))
            raise BadInput(
                f"{path}: the picture {first['path'][0]} stands in several rows with the {role}s "
                f"{kinds} ({twice['path'].n_unique():,} such pictures); keep one row a picture."
            )
    return once, dropped


def _say_dropped(dropped: Mapping[str, int]) -> str:
    words = ", ".join(f"{n:,} {reason}" for reason, n in dropped.items())
    return f" that can be used ({words})" if words else ""


def _find_pictures(
    table: pl.DataFrame,
    root: pathlib.Path,
    source: pathlib.Path,
    *,
    given_root: pathlib.Path | None,
) -> tuple[pl.DataFrame, pathlib.Path, list[str]]:
    """Paths below a folder of this machine, that folder, and what was changed for that."""
    if not root.is_dir():
        raise BadInput(f"{source}: root is {root}, which is no folder; correct --root.")
    names = table["path"].to_list()
    notes = []
    skip = _find_part_to_skip(names, root)
    if skip is None and given_root is None and all(_is_absolute(name) for name in names):
        # Nothing is below the table's folder: they may be where they say.
        common = os.path.commonpath([os.path.dirname(name) for name in names])
        if os.path.isfile(names[0]):
            root, skip = pathlib.Path(common), len(_split(common))
    if skip is not None:
        part = "/".join(_split(names[0])[:skip])
        names = ["/".join(_split(name)[skip:]) for name in names]
    if skip:
        notes.append(f"Paths of {source.name} are read below {root}, without '{show_name(part)}'.")
    on_disk = match_suffix_case(root, names)
    n_changed = sum(one != other for one, other in zip(names, on_disk, strict=True))
    if n_changed:
        notes.append(f"{n_changed:,} names of {source.name} have their suffix in another case.")
    return table.with_columns(on_disk.alias("path")), root, notes


def _find_part_to_skip(names: Sequence[str], root: pathlib.Path) -> int | None:
    """How many leading folders of the paths are not there below `root`; None if nothing fits.

    The same number for all, and they must be the same folders: else two pictures could become one.
    """
    probed = names[:: max(len(names) // PROBED, 1)]
    parts = [_split(name) for name in probed]
    shortest = min(map(len, parts), default=1)
    for skip in range(shortest):
        if skip and len({tuple(part[:skip]) for part in map(_split, names)}) > 1:
            return None
        there = ["/".join(part[skip:]) for part in parts]
        if any((root / name).is_file() for name in match_suffix_case(root, there)):
            return skip
    return None


def _split(name: str) -> list[str]:
    return [part for part in name.split("/") if part]


def _is_absolute(name: str) -> bool:
    return name.startswith("/")


def _say_missing(
    missing: Mapping[str, str], table: pl.DataFrame, root: pathlib.Path, path: pathlib.Path
) -> str:
    shown = ", ".join(show_name(name) for name in list(missing)[:3])
    more = ", …" if len(missing) > 3 else ""
    return (
        f"{path}: {len(missing):,} of its {table['path'].n_unique():,} pictures are not in {root} "
        f"({shown}{more}); name the folder where its paths start with --root, or leave these "
        "pictures out with --skip-missing."
    )
