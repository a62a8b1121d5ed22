"""What a leaderboard shows of a run is what its predictions give, whatever its report says.

table, doubts, problems = reconcile(stored, computed, runs)

Where the statistics of the suite were computed from all predictions of a run, they say what its
score is. The other runs are scored here, or, of very many, those whose files contradict each other
at first sight.
"""

from pathlib import Path

import polars as pl

from biobench import results
from biobench.errors import BadInput

__all__ = ["name_doubts", "reconcile"]

MAX_SHIFT = 0.25
"""how far, in widths, an end of two intervals of one score lies apart by the luck of resampling."""
_CONTRADICTION = ["Its report and its predictions contradict each other."]


def reconcile(
    stored: pl.DataFrame, computed: pl.DataFrame | None, runs: pl.DataFrame
) -> tuple[pl.DataFrame, list[str], list[results.Problem]]:
    """Put what predictions give in the place of what reports say.

    stored: the leaderboard's rows with the runs' own scores, or, of several seeds, with what their
    predictions give. computed: the suite's rows (model,
    task, score, ci_low, ci_high, n); None to look only at runs that are doubtful at first sight.
    runs: those shown, with the columns of `results.Scan` and `row` and `column`.
    Returns the rows, one sentence for each run that contradicts itself, and the runs left out
    because their predictions cannot be read.
    """
    known = {}
    if computed is not None:
        names = ["model", "task", "score", "ci_low", "ci_high", "n"]
        known = {(row[0], row[1]): row[2:] for row in computed.select(names).rows()}
    rows = {row["run"]: row for row in runs.iter_rows(named=True)}
    kept, doubts, problems = [], [], []
    for shown in stored.iter_rows(named=True):
        own = [rows[run] for run in shown["runs"]]
        try:
            if len(own) > 1:
                found = _find_doubts(own, at_sight=computed is None)
                doubts += found
                kept.append(
                    shown | {"warnings": [*shown["warnings"], *_CONTRADICTION[: len(found)]]}
                )
                continue
            here = known.get((own[0]["row"], own[0]["column"]))
            changes = _check(own[0], shown, here, computed is None)
        except BadInput as err:
            problems.append(results.Problem(Path(shown["run"]), str(err)))
            continue
        doubt = changes.pop("doubt", "")
        if doubt:
            doubts.append(doubt)
        kept.append(shown | changes)
    return pl.DataFrame(kept, schema=stored.schema, orient="row"), doubts, problems


def name_doubts(runs: pl.DataFrame) -> list[str]:
    """One sentence for each run whose report says something else than its predictions give."""
    return _find_doubts(runs.to_dicts(), at_sight=False)


def _find_doubts(runs: list[dict], *, at_sight: bool) -> list[str]:
    doubts = []
    for run in runs:
        if at_sight and not run["is_doubtful"]:
            continue
        found = results.verify(Path(run["run"]), run)
        if found is not None and found.mismatch:
            doubts.append(found.mismatch)
    return doubts


def _check(run: dict, shown: dict, known: tuple | None, at_sight: bool) -> dict[str, object]:
    """The fields of a row that are to be other ones, and `doubt`, why; empty where all agrees."""
    if at_sight and not run["is_doubtful"]:
        return {}
    if known is not None and known[3] == run["n"] and not run["is_doubtful"]:
        score, low, high, n = known
        is_changed = results.is_changed(Path(run["run"]), run)
        doubt = results.describe_mismatch(run, score, n, changed=is_changed)
        if not doubt and _is_near(shown, low, high):
            return {}
    found = results.verify(Path(run["run"]), run)
    if found is None:
        if run["is_doubtful"]:
            raise BadInput(f"{run['run']}: its score is not in its interval, and nothing says why.")
        return {}
    low, high = found.group_ci or found.ci
    changes = {"ci_low": low, "ci_high": high, "n_groups": found.n_groups}
    doubt = found.mismatch
    if not doubt and not _is_near(shown, low, high):
        doubt = (
            f"{run['run']}: its report has the interval {shown['ci_low']:.3f} to "
            f"{shown['ci_high']:.3f}, its predictions give {low:.3f} to {high:.3f}: shown is what "
            "the predictions give."
        )
    if not doubt:
        return {}
    warnings = [*shown["warnings"], *_CONTRADICTION]
    return changes | {
        "score": found.score,
        "n": found.n,
        "warnings": warnings,
        "doubt": doubt,
    }


def _is_near(shown: dict, low: float, high: float) -> bool:
    if shown["ci_low"] is None:
        return False
    room = MAX_SHIFT * (high - low) + results.TOLERANCE
    return abs(shown["ci_low"] - low) <= room and abs(shown["ci_high"] - high) <= room
