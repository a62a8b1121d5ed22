"""From what an export says to the pictures that a task uses, alike for all formats.

    found = assemble(rows, "Camtrap DP package", main, root, columns={"label": "genus"})

One row a picture. A picture of several labels, of no label, of nothing, of people, without a file:
each is left out, counted by reason and listed by name; so are the pictures that the export does not
name.
"""

import collections
import dataclasses
import os
import pathlib
from collections.abc import Mapping, Sequence

import polars as pl

from biobench.data.exports.kind import BLANK, BOX, HUMAN, RANKS, SCHEMA, VEHICLE, VIDEO, Rows, plain
from biobench.data.exports.locating import Files
from biobench.data.exports.pixels import to_pixels
from biobench.data.picture_files import LeftOut, list_pictures, show_name
from biobench.data.picture_table import ROLES, PictureTable
from biobench.errors import BadInput, find_close

__all__ = ["NOT_FOR_SURE", "SEVERAL", "UNMENTIONED", "assemble"]

NOT_FOR_SURE = "pictures that several entries may mean"
SEVERAL = "pictures of several classes"
UNMENTIONED = "pictures that the export says nothing of"
UNLABELLED = "pictures that have no {}"

VIDEO_SUFFIXES = (".mp4", ".avi", ".mov", ".m4v", ".mkv", ".wmv", ".mpg", ".mpeg", ".webm", ".asf")
THINGS = (HUMAN, VEHICLE)
"""what stands beside an animal in a picture and makes it one of several classes."""

KNOWN = (*RANKS, "camera", "deployment", "sequence", "date", "latitude", "longitude", "box")
"""columns that have a fixed name in every manifest (docs/architecture.md)."""


def assemble(
    rows: Rows,
    what: str,
    main: pathlib.Path,
    root: pathlib.Path,
    columns: Mapping[str, str],
) -> PictureTable:
    """The pictures below `root` that an export labels.

    what: the format's name. main: the file that is named in errors. columns: names of the export's
    columns for the roles label, group, split and id. Raises BadInput where a column is not there or
    no picture can be used.
    """
    chosen = _choose(rows, main, columns)
    found = list_pictures(root)
    own = {os.path.realpath(path) for path in rows.own}
    others = {
        o.path: o.reason for o in found.left_out if os.path.realpath(root / o.path) not in own
    }
    asked = bool(columns.get("label"))
    table, reasons, sentences = _judge(rows, chosen, asked, Files(found.names), others)
    left_out = [
        LeftOut(show_name(name), why) for name, why in sorted({**others, **reasons}.items())
    ]
    if not table.height:
        counts = collections.Counter(reasons.values()).most_common()
        why = ", ".join(f"{n:,} {reason}" for reason, n in counts)
        raise BadInput(
            f"{main} is read as a {what}, but none of its pictures can be used"
            f"{f' ({why})' if why else ''}; name the folder of the pictures with --root, or "
            "another label with --columns label=NAME."
        )
    table = _fill_boxes(table, root)
    table, group = _name_group(table, rows, chosen)
    words = [f"label from '{chosen['label']}'", *([f"group from '{group}'"] if group else [])]
    note = f"{main.name} is read as a {what}: {', '.join(words)} (--columns says otherwise)."
    return PictureTable(root, table, (note, *rows.notes, *sentences), {}, tuple(left_out))


def _choose(rows: Rows, main: pathlib.Path, columns: Mapping[str, str]) -> dict[str, str]:
    """Role -> the column of the export that is it, where one is."""
    names = {plain(n): n for n in rows.table.columns if n not in SCHEMA}
    chosen = {"label": rows.label}
    for role, name in columns.items():
        if role == "path":
            raise BadInput(
                f"{main}: an export says itself where its pictures are, so --columns path={name} "
                "cannot be used; name their folder with --root."
            )
        if name and plain(name) not in names:
            close = find_close(plain(name), names)
            hint = f" Did you mean '{names[close]}'?" if close else ""
            raise BadInput(
                f"{main}: there is no column '{name}' for {role} (found: "
                f"{', '.join(names.values())}).{hint}"
            )
        chosen[role] = names[plain(name)] if name else ""
    return chosen


@dataclasses.dataclass
class _Picture:
    """What all rows of one file say together."""

    keys: set[str] = dataclasses.field(default_factory=set)
    rows: list[int] = dataclasses.field(default_factory=list)
    whys: list[str] = dataclasses.field(default_factory=list)
    labels: set[str] = dataclasses.field(default_factory=set)


def _judge(
    rows: Rows,
    chosen: Mapping[str, str],
    asked: bool,
    files: Files,
    others: Mapping[str, str],
) -> tuple[pl.DataFrame, dict[str, str], list[str]]:
    """One row a picture that is used, why others are not, and sentences on what was chosen.

    asked: whether the label was named. others: the files that are no pictures, and why.
    """
    table = rows.table
    if asked and chosen["label"] == rows.everything:
        is_class = pl.col("why").is_in([BLANK, *THINGS])
        table = table.with_columns(pl.when(~is_class).then("why").alias("why"))
    labels = table[chosen["label"]].cast(pl.String).str.strip_chars().to_list()
    boxes = table["box"].to_list()
    pictures, left_out = _gather(table, labels, chosen["label"], files, others)
    used, n_several = [], 0
    for name, picture in sorted(pictures.items()):
        reason = _find_reason(picture)
        if reason:
            left_out[name] = reason
            continue
        sizes = {i: box[2] * box[3] for i in picture.rows if (box := boxes[i])}
        n_several += len(sizes) > 1
        used.append((name, max(sizes, key=sizes.__getitem__) if sizes else picture.rows[0]))
    left_out |= dict.fromkeys(files.list_others(pictures), UNMENTIONED)
    notes = []
    if n_several:
        notes.append(f"Of several boxes in one picture the largest is kept ({n_several:,} times).")
    made = table[[row for _, row in used]].with_columns(
        pl.Series("path", [name for name, _ in used], dtype=pl.String),
        pl.Series("label", [labels[row] for _, row in used], dtype=pl.String),
    )
    return made.drop([name for name in SCHEMA if name != "box"]), left_out, notes


def _gather(
    table: pl.DataFrame,
    labels: Sequence[str | None],
    label: str,
    files: Files,
    others: Mapping[str, str],
) -> tuple[dict[str, _Picture], dict[str, str]]:
    """What the rows say of each file, and why rows without a picture are left out."""
    pictures: dict[str, _Picture] = collections.defaultdict(_Picture)
    left_out: dict[str, str] = {}
    unlabelled, unread = UNLABELLED.format(label.replace("_", " ")), Files(others)
    entries = table.select("key", "shown", "paths", "ids", "gone", "why").rows()
    for i, (key, shown, paths, ids, gone, why) in enumerate(entries):
        if key is None:
            # It belongs to no file, and is listed under its own name.
            left_out[shown] = why
            continue
        why = why or (None if labels[i] else unlabelled)
        is_video = any(path.lower().endswith(VIDEO_SUFFIXES) for path in paths)
        names = [] if is_video else _find(files, paths, ids)
        if not names:
            there = next((name for path in paths if (name := unread.find(path))), None)
            why = VIDEO if is_video else why or (others[there] if there else gone)
            left_out.setdefault(there or shown, why)
        for name in names:
            picture = pictures[name]
            picture.keys.add(key)
            if why is None:
                picture.rows.append(i)
                picture.labels.add(str(labels[i]))
            else:
                picture.whys.append(why)
    return pictures, left_out


def _find(files: Files, paths: Sequence[str], ids: Sequence[str]) -> list[str]:
    found = next((name for path in paths if (name := files.find(path))), None)
    if found:
        return [found]
    return next((names for key in ids if (names := files.find_id(key))), [])


def _find_reason(picture: _Picture) -> str | None:
    if len(picture.keys) > 1:
        return NOT_FOR_SURE
    if not picture.labels:
        # People first: of a picture that is also blank, that is what matters.
        return next((why for why in THINGS if why in picture.whys), picture.whys[0])
    if len(picture.labels) > 1 or any(why in THINGS for why in picture.whys):
        return SEVERAL
    return None


def _fill_boxes(table: pl.DataFrame, root: pathlib.Path) -> pl.DataFrame:
    boxes = table["box"].to_list()
    if not any(boxes):
        return table.drop("box")
    made = to_pixels(root, list(zip(table["path"], boxes, strict=True)))
    return table.with_columns(pl.Series("box", made, dtype=BOX))


def _name_group(
    table: pl.DataFrame, rows: Rows, chosen: Mapping[str, str]
) -> tuple[pl.DataFrame, str]:
    """The table with its roles under their names, without columns that hold nothing."""
    there = [c for c in rows.group if c in table.columns and table[c].drop_nulls().n_unique() > 1]
    group = chosen.get("group", there[0] if there else "")
    made = {"path": pl.col("path"), "label": pl.col("label")}
    for role, name in {"group": group, **{r: chosen.get(r) for r in ("split", "id")}}.items():
        if name:
            made[role] = pl.col(name).cast(pl.String)
    rest = [n for n in table.columns if n not in made and table[n].null_count() < table.height]
    first = [name for name in KNOWN if name in rest]
    for name in (*first, *(name for name in rest if name not in first)):
        made[f"{name}_" if name in ROLES else name] = pl.col(name)
    return table.select(expr.alias(name) for name, expr in made.items()), group
