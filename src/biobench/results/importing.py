"""Taking in results that were made elsewhere: another results folder, or an older database.

    done = import_folder(Path("from-the-cluster"), results)
    done.n_imported, done.n_present, done.problems

Every run is checked before it is taken: its report can be read, its predictions give its score
again, its digests are those of what it holds. Intervals are computed again from the predictions;
where that cannot be, the run is kept without an interval and says so. Only regular files inside the
folder are read, no links. Nothing that is there already is changed.
"""

import dataclasses
import hashlib
import json
import math
from pathlib import Path

import polars as pl

from biobench import metrics
from biobench.errors import BadInput
from biobench.interfaces import Provenance
from biobench.predictions import KNOWN_COLUMNS
from biobench.results import kept_intervals, safe_files
from biobench.results.index import Problem, scan
from biobench.results.scores import SCORES, check_written, join_scores, parse_scores
from biobench.results.store import (
    LOG,
    PREDICTIONS,
    REPORT,
    get_run_folder,
    parse_predictions,
    parse_report,
    read_report,
    write_folder,
)

__all__ = ["Imported", "import_folder"]

TOLERANCE = 1e-9
"""how far a score may be from the one that its predictions give."""


@dataclasses.dataclass(frozen=True)
class Imported:
    """What an import did."""

    n_imported: int
    n_present: int
    """runs that were there already."""
    problems: list[Problem]
    """runs that were left out, each with its reason."""
    notes: list[str] = dataclasses.field(default_factory=list)
    """what is to be said of those that were taken, one sentence each."""


def import_folder(source: Path, root: Path) -> Imported:
    """Copy every good run below the results folder `source` into the results folder `root`.

    Raises BadInput where `source` is no folder or holds no run.
    """
    found = scan(source)
    if not found.runs.height and not found.problems:
        raise BadInput(
            f"{source} holds no run; name a results folder (its runs are <task>/<model>/<run>)."
        )
    n_imported = n_present = 0
    problems = list(found.problems)
    for run in map(Path, found.runs["run"]):
        try:
            _require_inside(run, source)
            n_imported += _import_run(run, root)
        except FileExistsError:
            n_present += 1
        except BadInput as err:
            problems.append(Problem(run, str(err)))
    return Imported(n_imported, n_present, problems)


def _require_inside(run: Path, source: Path) -> None:
    """Raise BadInput where a folder on the way to a run is a link, which may lead anywhere."""
    folder = run
    while folder != source and folder != folder.parent:
        if folder.is_symlink():
            raise BadInput(f"{folder} is a link; put the folder itself in its place.")
        folder = folder.parent


def _import_run(run: Path, root: Path) -> int:
    """Take one run; what is checked are the bytes that are kept, read once."""
    text = safe_files.read_file(run / REPORT, safe_files.MAX_REPORT, follow=False)
    report = parse_report(text, run / REPORT)
    data = log = scores = table = None
    if report["has_predictions"]:
        data = safe_files.read_file(run / PREDICTIONS, safe_files.MAX_PREDICTIONS, follow=False)
        if (run / SCORES).exists():
            scores = safe_files.read_file(run / SCORES, safe_files.MAX_SCORES, follow=False)
            noted = report.get("scores")
            check_written(scores, noted and noted["sha256"], run / SCORES)
            table = parse_scores(scores, run / SCORES)
    if report["has_log"]:
        said = safe_files.read_file(run / LOG, safe_files.MAX_LOG, follow=False)
        log = said.decode(errors="replace")
    try:
        target = get_run_folder(root, report)
    except ValueError as err:
        raise BadInput(f"{run / REPORT}: {err}.") from err
    report |= _check(run, report, data, table)
    if target.exists():
        # The seal and the files' sizes and digests are ours to note, not part of what was imported.
        own = {"seal", "predictions", "scores"}
        there = {key: value for key, value in read_report(target).items() if key not in own}
        if there != {key: value for key, value in report.items() if key not in own}:
            raise BadInput(f"{run}: another run has its place, {target}; it was not overwritten.")
    write_folder(root, report, data, log, scores)
    return 1


def _check(
    run: Path, report: dict, data: bytes | None, scores: pl.DataFrame | None
) -> dict[str, object]:
    """The fields that are to be other ones here; raises BadInput where a run contradicts itself."""
    names = {field.name for field in dataclasses.fields(Provenance)}
    given = {name: value for name, value in report["provenance"].items() if name in names}
    provenance = Provenance(**given)
    if provenance.protocol_digest() != report["protocol_digest"]:
        raise BadInput(f"{run / REPORT}: protocol_digest is not that of the protocol and data.")
    if data is None and provenance.published:
        # It says of itself that nothing can be computed, and is marked wherever it is shown.
        return {}
    if data is None:
        return _mark(report, "Imported without predictions")
    table = parse_predictions(data, run / PREDICTIONS)
    missing = [name for name in KNOWN_COLUMNS if name not in table.columns]
    if missing:
        raise BadInput(f"{run / PREDICTIONS}: missing column {', '.join(missing)}.")
    if table.height != report["n"]:
        raise BadInput(
            f"{run / PREDICTIONS} has {table.height:,} rows, but the report says {report['n']}."
        )
    noted = report.get("predictions")
    if noted and noted["sha256"] != hashlib.sha256(data).hexdigest():
        raise BadInput(f"{run / PREDICTIONS} is not the file that was written with the report.")
    name = provenance.protocol.get("metric")
    if not metrics.is_known(name):
        return _mark(report, f"Imported: the metric {json.dumps(name)} is not known here")
    return _recompute(run, report, join_scores(run, table, scores), str(name))


def _recompute(run: Path, report: dict, table: pl.DataFrame, metric: str) -> dict[str, object]:
    try:
        found = kept_intervals.compute_from_table(table, metrics.get_metric(metric))
    except BadInput as err:
        raise BadInput(f"{run / PREDICTIONS}: {err}") from err
    if not math.isclose(found.score, report["score"], abs_tol=TOLERANCE):
        raise BadInput(
            f"{run}: the predictions give {metric} {found.score:.6f}, but the report says "
            f"{report['score']:.6f}."
        )
    group = None if found.group is None else list(found.group)
    return {
        "ci": list(found.example),
        "group_ci": group,
        "n_groups": found.n_groups,
        "confidence": kept_intervals.CONFIDENCE,
    }


def _mark(report: dict, why: str) -> dict[str, object]:
    """A run that nothing can be computed from has no interval, and says why."""
    warning = f"{why}: neither score nor interval can be verified."
    warnings = [*(text for text in report["warnings"] if text != warning), warning]
    return {"ci": None, "group_ci": None, "warnings": warnings}
