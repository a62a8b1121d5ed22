"""Which runs a table shows, and under which names: protocols and weights are never mixed.

    chosen = select(results, tasks=["newt"], where={"n_train": "10"})
    chosen.runs        # the newest run of each cell, with the columns `row`, `column`, `seed`

A task that was run under several protocols (or on several versions of its data) stands in one
column for each, named by what differs: `newt [n_train=10]`, `newt [n_train=all]`. Where runs of
several presets are shown, each task names its own: `newt [2026]`. Seeds are no protocols but
replicates of one: runs that differ in nothing else share a row and a column, and are pooled. A
model name that stood for several weights has one row for each, named by the digest.
"""

import dataclasses
import fnmatch
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import polars as pl

from biobench import results
from biobench.errors import BadInput, did_you_mean
from biobench.report.headings import head_columns, shorten, write_part
from biobench.report.placing import name_rows, place

__all__ = ["Selection", "select"]

DIGEST_LENGTH = 8

PUBLISHED = "published"

NONE = "none"
"""how the value of a key that a protocol does not have is written."""


@dataclasses.dataclass(frozen=True)
class Selection:
    """The runs of a table. `runs` is that of `results.Scan` with the names `row` and `column`, the
    run's `seed` (as text), and `few_shot`: whether it was trained on a draw of n_train examples.
    Runs of one row and column are each other's replicates: they differ in the seed alone."""

    runs: pl.DataFrame
    n_older: int
    """runs that a newer one of the same cell stands for."""
    split: list[str]
    """tasks that stand in several columns, because they have several protocols of one preset."""
    problems: list[results.Problem]
    headings: dict[str, str] = dataclasses.field(default_factory=dict)
    """what each column is called for people (`biobench.report.headings`)."""

    def with_headings(self) -> "Selection":
        """The same, its columns under their headings: for sentences."""
        column = pl.col("column").replace(self.headings)
        return dataclasses.replace(self, runs=self.runs.with_columns(column))


def select(
    root: Path,
    *,
    tasks: Sequence[str] = (),
    models: Sequence[str] = (),
    where: Mapping[str, str] | None = None,
) -> Selection:
    """The newest run of every cell below `root`.

    tasks, models: shell patterns to keep; empty keeps all. where: values of the protocol to keep,
    by key, as they are printed. Raises BadInput where nothing is left, naming what there is.
    """
    found = results.scan(root)
    if not found.runs.height:
        hint = f" {found.problems[0].reason}" if found.problems else ""
        raise BadInput(f"There is no readable run in {root}; make some with biobench run.{hint}")
    runs = _keep(found.runs, "task", tasks)
    runs = _keep(runs, "model", models)
    runs = _keep_where(runs, where or {})
    newest, differing = _name(results.current(runs))
    newest = newest.unique(["row", "column", "seed"], keep="last", maintain_order=True)
    preset = pl.col("protocol").str.json_path_match("$.preset").alias("preset")
    columns = newest.group_by("task", preset).agg(pl.col("column").n_unique())
    split = columns.filter(pl.col("column") > 1)["task"].unique().sort().to_list()
    headings = head_columns(newest, differing)
    return Selection(newest, runs.height - newest.height, split, found.problems, headings)


def _keep(runs: pl.DataFrame, column: str, patterns: Sequence[str]) -> pl.DataFrame:
    if not patterns:
        return runs
    names = runs[column].unique().sort().to_list()
    kept = [n for n in names if any(fnmatch.fnmatchcase(n, pattern) for pattern in patterns)]
    for pattern in patterns:
        if not fnmatch.filter(kept, pattern):
            hint = did_you_mean(pattern, names) or f" There are: {_join(names)}."
            raise BadInput(f"No run has the {column} '{pattern}'.{hint}")
    return runs.filter(pl.col(column).is_in(kept))


def _keep_where(runs: pl.DataFrame, where: Mapping[str, str]) -> pl.DataFrame:
    for key, value in where.items():
        flat = {row: _flatten(row) for row in runs.select("protocol", "manifest").unique().rows()}
        present = sorted({p.get(key, NONE) for p in flat.values()})
        if present == [NONE]:
            known = sorted({name for p in flat.values() for name in p})
            raise BadInput(f"No run's protocol has the key '{key}'; there are: {_join(known)}.")
        if value not in present:
            raise BadInput(f"No run has {key}={value}; there are: {_join(present)}.")
        rows = runs.select("protocol", "manifest").rows()
        runs = runs.filter(pl.Series([flat[row].get(key, NONE) == value for row in rows]))
    return runs


def _name(runs: pl.DataFrame) -> tuple[pl.DataFrame, dict[str, list[tuple[str, str]]]]:
    """Add `column` and `row`: the task and the model, told apart where that is needed.

    Returns also by column the keys and values by which it is told apart.
    """
    runs = place(_add_seed(runs))
    labels, differing = {}, {}
    with_preset = runs["protocol"].str.json_path_match("$.preset").n_unique() > 1
    for (task,), rows in runs.group_by("task", maintain_order=True):
        protocols = rows.unique("replicated", maintain_order=True)
        flat = [_flatten(row) for row in protocols.select("protocol", "manifest").rows()]
        for protocol in flat:
            protocol.pop("seed", None)
            protocol.pop("metrics", None)
        told = _tell_kinds_apart(flat, with_preset=with_preset)
        for key, pairs in zip(protocols["replicated"], told, strict=True):
            text = ", ".join(write_part(name, value) for name, value in pairs)
            labels[task, key] = f"{task} [{text}]" if text else task
            differing[labels[task, key]] = pairs
    several = (
        runs.filter(pl.col("published").is_null())
        .group_by("task", "replicated", "model")
        .agg(pl.col("backbone_digest").n_unique().alias("n"))
        .filter(pl.col("n") > 1)["model"]
        .to_list()
    )
    keys = runs.select("task", "replicated", "model", "backbone_digest").rows()
    named = runs.with_columns(
        pl.Series("column", [labels[task, key] for task, key, _, _ in keys]),
        pl.Series(
            "row",
            [f"{m} @{b[:DIGEST_LENGTH]}" if m in several else m for _, _, m, b in keys],
        ),
    ).drop("replicated")
    return name_rows(named), differing


def _add_seed(runs: pl.DataFrame) -> pl.DataFrame:
    """Add `seed`, `few_shot` and `replicated`: the protocol and data that seeds are replicates of.

    Where two runs' seeds are all that differs, `replicated` is the same text.
    """
    rows = []
    for text, manifest in runs.select("protocol", "manifest").rows():
        protocol = json.loads(text)
        seed = protocol.pop("seed", None)
        # What is reported beside the score does not make another column.
        protocol.pop("metrics", None)
        few_shot = protocol.get("n_train", -1) not in (-1, None)
        key = json.dumps([protocol, manifest], sort_keys=True)
        rows.append((NONE if seed is None else str(seed), few_shot, key))
    schema = {"seed": pl.String, "few_shot": pl.Boolean, "replicated": pl.String}
    return runs.hstack(pl.DataFrame(rows, schema=schema, orient="row"))


def _tell_kinds_apart(
    protocols: list[dict[str, str]], *, with_preset: bool
) -> list[list[tuple[str, str]]]:
    """As `_tell_apart`, but presets, and what was published, are told from the others by that.

    with_preset: whether runs of several presets are shown, so that each task names its own.
    """
    kinds = [(p.get("preset"), p.get("imported") == PUBLISHED) for p in protocols]
    told: list[list[tuple[str, str]]] = [[] for _ in protocols]
    for preset, is_published in dict.fromkeys(kinds):
        same = [i for i, kind in enumerate(kinds) if kind == (preset, is_published)]
        head = [("preset", preset)] if with_preset and preset is not None else []
        head += [("imported", PUBLISHED)] * (is_published and (preset, False) in kinds)
        for i, pairs in zip(same, _tell_apart([protocols[i] for i in same]), strict=True):
            told[i] = [*head, *pairs]
    return told


def _tell_apart(protocols: list[dict[str, str]]) -> list[list[tuple[str, str]]]:
    """For each protocol the keys whose values are not the same in all, with its values."""
    names = sorted({name for protocol in protocols for name in protocol})
    varying = [name for name in names if len({p.get(name) for p in protocols}) > 1]
    if "probe" in varying:
        # A probe's parameters follow from its name, unless they differ under one name.
        brief = [name for name in varying if not name.startswith("probe_params")]
        if len({tuple(p.get(n) for n in brief) for p in protocols}) == len(protocols):
            varying = brief
    return [[(n, shorten(p.get(n, NONE))) for n in varying] for p in protocols]


def _flatten(row: tuple[str, str]) -> dict[str, str]:
    """A protocol's values as text, nested keys joined by a dot, and the data's digest as `data`."""
    protocol, manifest = row
    flat = {}

    def walk(prefix: str, value: object) -> None:
        if isinstance(value, dict):
            for key, item in value.items():
                walk(f"{prefix}.{key}" if prefix else key, item)
        elif prefix == "n_train" and value == -1:
            flat[prefix] = "all"
        else:
            flat[prefix] = value if isinstance(value, str) else json.dumps(value)

    walk("", json.loads(protocol))
    return flat | {"data": manifest[:DIGEST_LENGTH]}


def _join(names: Sequence[str], limit: int = 8) -> str:
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + more
