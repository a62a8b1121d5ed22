"""Results as files for other programs.

    export(results, Path("results.sqlite"))                    # all three tables
    export(results, Path("scores.csv"))                        # runs; or table="splits", …

Three tables (docs/results.md lists the columns): `runs`, one row a run, old ones included;
`splits`, one row a named sub-score; `predictions`, one row a test example. A run's key is `run`,
its path below the results folder.
"""

import contextlib
import dataclasses
import datetime
import sqlite3
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import polars as pl

from biobench import atomic, catalog, clean
from biobench.errors import BadInput
from biobench.predictions import KNOWN_COLUMNS
from biobench.results.index import Problem, current, scan
from biobench.results.store import PREDICTIONS, read_predictions, read_report
from biobench.results.unknown import describe_unknown
from biobench.results.verification import verify

__all__ = ["TABLES", "Exported", "TableName", "export"]

TableName = Literal["runs", "splits", "predictions"]

TABLES: dict[TableName, dict[str, typing.Any]] = {
    "runs": {
        "run": pl.String(),
        "task": pl.String(),
        "name": pl.String(),
        "model": pl.String(),
        "score": pl.Float64(),
        "ci_low": pl.Float64(),
        "ci_high": pl.Float64(),
        "group_ci_low": pl.Float64(),
        "group_ci_high": pl.Float64(),
        "n": pl.Int64(),
        "n_groups": pl.Int64(),
        "metric": pl.String(),
        "protocol_digest": pl.String(),
        "backbone_digest": pl.String(),
        "manifest": pl.String(),
        "time": pl.String(),
        "is_current": pl.Boolean(),
        "origin": pl.String(),
        "commit": pl.String(),
        "hostname": pl.String(),
        "device": pl.String(),
        "n_skipped": pl.Int64(),
        "warnings": pl.String(),
        "protocol": pl.String(),
        "config": pl.String(),
        "is_verified": pl.Boolean(),
        "published": pl.String(),
        "preset": pl.String(),
        "seen": pl.String(),
    },
    "splits": {"run": pl.String(), "split": pl.String(), "score": pl.Float64()},
    "predictions": {"run": pl.String(), **KNOWN_COLUMNS, "info": pl.String()},
}
"""The columns of each exported table. `info` holds a task's further columns as a JSON object."""


@dataclasses.dataclass(frozen=True)
class Exported:
    """What an export wrote: rows by table, and the runs that could not be read."""

    rows: dict[str, int]
    problems: list[Problem]
    doubts: list[str]
    """one sentence for each run whose report says something else than its predictions give."""
    unknown: list[str] = dataclasses.field(default_factory=list)
    """one sentence for each metric of the runs that cannot be used here, and what to do."""


def export(root: Path, target: Path, *, table: TableName = "runs") -> Exported:
    """Write the results below `root` to `target`, whose suffix says how.

    `.sqlite` holds all tables; `.csv`, `.parquet` and `.json` hold the one named `table`. Raises
    BadInput for another suffix or where `target` is there already.
    """
    writers = {".csv": _write_csv, ".parquet": _write_parquet, ".json": _write_json}
    suffix = target.suffix.lower()
    if suffix != ".sqlite" and suffix not in writers:
        raise BadInput(
            f"{target}: the suffix says the format; use .sqlite, .csv, .parquet or .json."
        )
    if target.exists():
        raise BadInput(f"{target} is there already; name another file, or remove it.")
    if not target.absolute().parent.is_dir():
        raise BadInput(f"There is no folder {target.absolute().parent}; make it first.")
    found = scan(root)
    source = _Source(root, found.runs, list(found.problems), [])
    with atomic.replacing(target) as partial:
        if suffix == ".sqlite":
            rows = _write_sqlite(source, partial)
        else:
            rows = {table: writers[suffix](source.tables(table), partial, TABLES[table])}
    unknown = describe_unknown(found.runs.filter("has_predictions"))
    return Exported(rows, source.problems, source.doubts, unknown)


@dataclasses.dataclass(frozen=True)
class _Source:
    root: Path
    runs: pl.DataFrame
    problems: list[Problem]
    doubts: list[str]

    def tables(self, name: TableName) -> Iterator[pl.DataFrame]:
        """A table in parts, so that no export needs all predictions in memory."""
        if name == "runs":
            yield self._make_runs()
            return
        make = {"splits": self._make_splits, "predictions": self._make_predictions}[name]
        for run, has_predictions in self.runs.select("run", "has_predictions").rows():
            if name == "predictions" and not has_predictions:
                continue
            if Path(run) in {problem.path for problem in self.problems}:
                continue
            try:
                yield make(Path(run))
            except BadInput as err:
                self.problems.append(Problem(Path(run), str(err)))

    def _make_runs(self) -> pl.DataFrame:
        newest = set(current(self.runs)["run"])
        rows = []
        for row in self.runs.iter_rows(named=True):
            try:
                rows.append(self._make_run(row, is_current=row["run"] in newest))
            except BadInput as err:
                self.problems.append(Problem(Path(row["run"]), str(err)))
        return pl.DataFrame(rows, schema=TABLES["runs"], orient="row")

    def _make_run(self, row: dict[str, typing.Any], *, is_current: bool) -> dict[str, object]:
        run = Path(row["run"])
        report, config = read_report(run), None
        preset = report["provenance"]["protocol"].get("preset")
        if report.get("config") is not None:
            config = clean.to_json(report["config"])
        given = {
            "run": self._get_key(run),
            "ci_low": row["ci_low"],
            "ci_high": row["ci_high"],
            "group_ci_low": row["group_ci_low"],
            "group_ci_high": row["group_ci_high"],
            "time": datetime.datetime.fromtimestamp(row["posix_time"], datetime.UTC).isoformat(),
            "is_current": is_current,
            "is_verified": None,
            "preset": preset if isinstance(preset, str) else None,
            "seen": catalog.judge_by_name(row["model"], row["task"]),
            "commit": report["commit"],
            "hostname": report["hostname"],
            "device": report["gpu_name"],
            "warnings": "\n".join(row["warnings"]),
            "config": config,
        }
        if (found := verify(run, row)) is not None:
            given["is_verified"] = not found.mismatch
            if found.mismatch:
                self.doubts.append(found.mismatch)
                given |= {"score": found.score, "n": found.n, "n_groups": found.n_groups}
                given["ci_low"], given["ci_high"] = found.ci
                given["group_ci_low"], given["group_ci_high"] = found.group_ci or (None, None)
        return {name: (row | given)[name] for name in TABLES["runs"]}

    def _make_splits(self, run: Path) -> pl.DataFrame:
        key, splits = self._get_key(run), read_report(run)["splits"]
        rows = [(key, name, score) for name, score in splits.items()]
        return pl.DataFrame(rows, schema=TABLES["splits"], orient="row")

    def _make_predictions(self, run: Path) -> pl.DataFrame:
        table = read_predictions(run)
        if missing := [name for name in KNOWN_COLUMNS if name not in table.columns]:
            raise BadInput(f"{run / PREDICTIONS}: missing column {', '.join(missing)}.")
        further = [name for name in table.columns if name not in KNOWN_COLUMNS]
        info = (
            [
                clean.to_json({k: v for k, v in row.items() if v is not None})
                for row in table.select(further).iter_rows(named=True)
            ]
            if further
            else [None] * table.height
        )
        return table.select(
            pl.lit(self._get_key(run)).alias("run"),
            *(pl.col(name).cast(dtype) for name, dtype in KNOWN_COLUMNS.items()),
            pl.Series("info", info, dtype=pl.String()),
        )

    def _get_key(self, run: Path) -> str:
        return run.relative_to(self.root).as_posix()


Parts = Iterator[pl.DataFrame]


def _write_csv(parts: Parts, path: Path, schema: dict) -> int:
    n = 0
    with open(path, "w", encoding="utf-8", newline="") as file:
        file.write(pl.DataFrame(schema=_flat_schema(schema)).write_csv())
        for part in parts:
            file.write(clean.csv_table(_flatten(part)).write_csv(include_header=False))
            n += part.height
    return n


def _write_parquet(parts: Parts, path: Path, schema: dict) -> int:
    # Late: a tenth of a second that every leaderboard would wait for.
    import pyarrow.parquet as pq

    arrow = pl.DataFrame(schema=schema).to_arrow().schema
    n = 0
    with pq.ParquetWriter(path, arrow, compression="zstd") as writer:
        for part in parts:
            writer.write_table(part.to_arrow().cast(arrow))
            n += part.height
    return n


def _write_json(parts: Parts, path: Path, schema: dict) -> int:
    n = 0
    with open(path, "w", encoding="utf-8") as file:
        file.write("[")
        for part in parts:
            for row in part.iter_rows(named=True):
                file.write(",\n" if n else "\n")
                file.write(clean.to_json(row))
                n += 1
        file.write("\n]\n")
    return n


def _write_sqlite(source: _Source, path: Path) -> dict[str, int]:
    rows = {}
    with contextlib.closing(sqlite3.connect(path)) as db, db:
        for name, schema in TABLES.items():
            db.execute(_make_ddl(name, schema))
            marks = ", ".join("?" * len(schema))
            rows[name] = 0
            for part in source.tables(name):
                db.executemany(f"INSERT INTO {name} VALUES ({marks})", _flatten(part).iter_rows())
                rows[name] += part.height
        db.execute("CREATE INDEX splits_run ON splits(run)")
        db.execute("CREATE INDEX predictions_run ON predictions(run)")
    return rows


def _make_ddl(name: str, schema: dict) -> str:
    kinds = {pl.Float64(): "REAL", pl.Int64(): "INTEGER", pl.Boolean(): "INTEGER"}
    columns = [f'"{column}" {kinds.get(dtype, "TEXT")}' for column, dtype in schema.items()]
    columns[0] += " PRIMARY KEY" if name == "runs" else " NOT NULL REFERENCES runs(run)"
    return f"CREATE TABLE {name} ({', '.join(columns)})"


def _flat_schema(schema: dict) -> dict:
    return {n: pl.String() if isinstance(t, pl.List) else t for n, t in schema.items()}


def _flatten(part: pl.DataFrame) -> pl.DataFrame:
    """Lists as JSON text, for formats that have none."""
    return part.with_columns(
        pl.Series(
            name,
            [None if v is None else clean.to_json(v) for v in part[name].to_list()],
            dtype=pl.String(),
        )
        for name, dtype in part.schema.items()
        if isinstance(dtype, pl.List)
    )
