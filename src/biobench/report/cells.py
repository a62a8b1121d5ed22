"""From runs to what statistics want: predictions by (model, task), metrics by task.

cells, unreadable = read_cells(get_scorable(selection.runs))
stats.leaderboard(cells, get_metrics(runs, tasks))
"""

import concurrent.futures
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import polars as pl

from biobench import metrics, results, stats
from biobench.errors import BadInput

__all__ = ["COLUMNS", "Cells", "Unreadable", "get_metrics", "get_scorable", "read_cells"]

COLUMNS = ["example", "subtask", "group", "y_true", "y_pred", "score"]
"""of the predictions, what statistics need."""

N_READERS = 8


class Unreadable(BadInput):
    """The predictions of a cell turned out to be damaged."""

    def __init__(self, cell: tuple[str, str], problem: results.Problem):
        super().__init__(problem.reason)
        self.cell = cell
        self.problem = problem


class Cells(Mapping[tuple[str, str], pl.DataFrame]):
    """Predictions by (model, task), as the leaderboard's rows and columns are named.

    A cell's runs, by seed, are replicates of each other: their predictions stand in one table
    (`stats.join_seeds`). A table is read when it is asked for, so that a suite need not fit into
    memory; raises Unreadable where a file is damaged.
    """

    def __init__(
        self,
        runs: dict[tuple[str, str], dict[str, Path]],
        by_task: Mapping[str, metrics.Metric] | None = None,
    ):
        self.runs = runs
        self.metrics = by_task or {}

    def __getitem__(self, cell: tuple[str, str]) -> pl.DataFrame:
        tables = {}
        for seed, run in self.runs[cell].items():
            try:
                table = self._read(cell[1], run)
                if 0 < table["y_true"].null_count() < table.height:
                    raise BadInput(f"{run}: some of its predictions have no truth, others have.")
            except BadInput as err:
                raise Unreadable(cell, results.Problem(run, str(err))) from err
            tables[seed] = table
        return stats.join_seeds(tables)

    def _read(self, task: str, run: Path) -> pl.DataFrame:
        if task in self.metrics:
            return results.read_for_metric(run, self.metrics[task], COLUMNS)
        return results.read_predictions(run, COLUMNS)

    def __contains__(self, cell: object) -> bool:
        # Mapping's own would read the file to find out.
        return cell in self.runs

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self.runs)

    def __len__(self) -> int:
        return len(self.runs)

    def keep_tasks(self, tasks: Iterable[str]) -> "Cells":
        """The cells of some tasks."""
        kept = set(tasks)
        return Cells(
            {cell: runs for cell, runs in self.runs.items() if cell[1] in kept}, self.metrics
        )

    def without(self, run: Path) -> "Cells":
        """The cells without one of their runs."""
        kept = {
            cell: {seed: one for seed, one in runs.items() if one != run}
            for cell, runs in self.runs.items()
        }
        return Cells({cell: runs for cell, runs in kept.items() if runs}, self.metrics)


def get_scorable(runs: pl.DataFrame) -> pl.DataFrame:
    """The runs that can be scored again: with predictions, and with a metric that is known."""
    known = [name for name in runs["metric"].unique().drop_nulls() if metrics.is_known(name)]
    return runs.filter(pl.col("has_predictions") & pl.col("metric").is_in(known))


def read_cells(runs: pl.DataFrame) -> tuple[Cells, list[results.Problem]]:
    """The cells of the runs whose files have an intact head, and the other runs."""

    def check(run: str) -> results.Problem | None:
        path = Path(run) / "predictions.parquet"
        try:
            # A named pipe would keep the reader waiting for ever. And a path would be taken for a
            # pattern, where a folder's name has brackets.
            missing = None
            if path.is_file():
                with open(path, "rb") as file:
                    missing = set(COLUMNS) - set(pl.read_parquet_schema(file))
        except (OSError, pl.exceptions.PolarsError, pl.exceptions.PanicException) as err:
            reason = (str(err) or type(err).__name__).splitlines()[0]
            return results.Problem(Path(run), f"{path} is damaged ({reason}).")
        if missing is None:
            return results.Problem(Path(run), f"{path} is not a regular file.")
        lacks = ", ".join(sorted(missing))
        return results.Problem(Path(run), f"{path} lacks the columns {lacks}.") if missing else None

    with concurrent.futures.ThreadPoolExecutor(N_READERS) as pool:
        found = list(pool.map(check, runs["run"]))
    good: dict[tuple[str, str], dict[str, Path]] = {}
    rows = runs.select("row", "column", "seed", "run").rows()
    for (model, task, seed, run), bad in zip(rows, found, strict=True):
        if bad is None:
            good.setdefault((model, task), {})[seed] = Path(run)
    by_task = get_metrics(runs, {task for _, task in good})
    return Cells(good, by_task), [problem for problem in found if problem is not None]


def get_metrics(runs: pl.DataFrame, tasks: Iterable[str]) -> dict[str, metrics.Metric]:
    """The metric of each task of the leaderboard."""
    names = dict(runs.select("column", "metric").rows())
    return {task: metrics.get_metric(names[task]) for task in tasks}
