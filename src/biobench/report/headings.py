"""What a column is called for people: its task, and all of its protocol that is not usual.

    head_columns(runs, labels)["moths [data=1a2b3c4d]"]     # "moths [caterpillars, probe=knn]"

A column's own name tells it from the other columns of one table, and is what programs read. Its
heading also stands alone, on a page or in a paper: a probe that is not the task's own, a number of
training examples, other seeds than the usual one are always named, so that no row passes for
another. Data sets of one task are named by their folders, where these differ.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath

import polars as pl

from biobench import results
from biobench.errors import BadInput

__all__ = ["USUAL_PROBE", "USUAL_SEED", "find_probe", "head_columns", "shorten", "write_part"]

USUAL_PROBE = "ridge"
"""the probe of every task that is not among the following."""
_PROBES = {
    ("NeWT", "mean-score"): "svm",
    ("KABR", "mean-score"): "simpleshot",
    ("ImageNet-1k", "accuracy"): "linear",
    ("iNat21", "accuracy"): "linear",
    ("Herbarium19", "macro-f1"): "linear",
    ("Plankton", "macro-f1"): "linear",
    ("FungiCLEF", "cost-score"): "openset",
    ("FishNet", "macro-f1"): "mlp",
    ("Beluga", "macro-f1"): "knn",
    ("MammalNet", "macro-f1"): "simpleshot",
    ("Ecdysis", "macro-f1"): "linear",
}
_PROBES_2026 = {
    "NeWT": "svc",
    "KABR": "logistic-search",
    "MammalNet": "logistic-search",
    "FungiCLEF": "openset",
    "FishNet": "mlp",
    "Beluga": "knn",
}
"""of the preset 2026; that of every other task is `adamw-head`."""
USUAL_SEED = "42"


def find_probe(name: object, metric: object, preset: object = None) -> str:
    """The probe of a task itself, by the name of its reports, its metric and its preset."""
    if preset:
        return _PROBES_2026.get(str(name), "adamw-head")
    return _PROBES.get((str(name), str(metric)), USUAL_PROBE)


def head_columns(
    runs: pl.DataFrame, differing: Mapping[str, Sequence[tuple[str, str]]]
) -> dict[str, str]:
    """A heading for every column, no two of them alike.

    runs: with the columns column, task, name, seed, protocol (JSON), manifest and run. differing:
    by column, the keys in which it differs from the task's other columns, with their values.
    """
    heads = {}
    for (task,), rows in runs.group_by("task", maintain_order=True):
        columns = rows["column"].unique(maintain_order=True).to_list()
        is_of_data = any(key == "data" for one in columns for key, _ in differing.get(one, ()))
        folders = _name_folders(rows) if is_of_data else {}
        for column in columns:
            here = rows.filter(pl.col("column") == column)
            parts = [
                folders.get(here["manifest"][0], f"{key}={value}")
                if key == "data"
                else write_part(key, value)
                for key, value in differing.get(column, ())
            ]
            known = {key for key, _ in differing.get(column, ())}
            preset = json.loads(here["protocol"][0]).get("preset")
            if preset and "preset" not in known:
                parts.insert(0, write_part("preset", shorten(str(preset))))
            parts += _list_unusual(here, known)
            heads[column] = f"{task} [{', '.join(parts)}]" if parts else task
    names = list(heads.values())
    return {column: head if names.count(head) == 1 else column for column, head in heads.items()}


def shorten(text: str, width: int = 24) -> str:
    """The text, cut where it is longer than `width`."""
    return text if len(text) <= width else f"{text[: width - 1]}…"


def write_part(key: str, value: str) -> str:
    """A key of a protocol and its value; of what names itself, the value alone."""
    return value if key == "preset" or value == "published" else f"{key}={value}"


def _list_unusual(rows: pl.DataFrame, known: set[str]) -> list[str]:
    """What of a column's protocol is not the task's own, but for the keys that are `known`."""
    protocol = json.loads(rows["protocol"][0])
    usual = find_probe(rows["name"][0], protocol.get("metric"), protocol.get("preset"))
    n_train = protocol.get("n_train", -1)
    found = {}
    if protocol.get("probe", usual) != usual:
        found["probe"] = protocol["probe"]
    if n_train not in (-1, None):
        in_all = " in all" if protocol.get("n_train_unit") == "total" else ""
        found["n_train"] = f"{n_train}{in_all}"
    for key in ("folds_test", "debug"):
        if protocol.get(key):
            found[key] = json.dumps(protocol[key])
    parts = [f"{key}={shorten(str(value))}" for key, value in found.items() if key not in known]
    seeds = sorted(set(rows["seed"]) - {"none"})
    if len(seeds) > 1:
        parts.append(f"{len(seeds)} seeds")
    elif seeds and seeds != [USUAL_SEED]:
        parts.append(f"seed={seeds[0]}")
    return parts


def _name_folders(rows: pl.DataFrame) -> dict[str, str]:
    """The data sets of a task by their folders' names; empty where these do not tell them apart."""
    places = {}
    for manifest, run in rows.select("manifest", "run").rows():
        if manifest not in places:
            place = _find_data(Path(run))
            if place is None:
                return {}
            places[manifest] = PurePath(place).parts
    for n in range(1, max(map(len, places.values())) + 1):
        names = {manifest: "/".join(parts[-n:]) for manifest, parts in places.items()}
        if len(set(names.values())) == len(names):
            return names
    return {}


def _find_data(run: Path) -> str | None:
    """Where the pictures of a run of the task `folder` lay."""
    try:
        config = results.read_report(run).get("config")
    except BadInput:
        return None
    if not isinstance(config, dict) or config.get("kind") != "folder":
        return None
    args = config.get("args")
    place = args.get("datadir") if isinstance(args, dict) else None
    return place.rstrip("/\\") if isinstance(place, str) and place.strip("/\\") else None
