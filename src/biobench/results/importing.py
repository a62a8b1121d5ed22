"""Taking in results that were made elsewhere: another results folder, or an older database.

    done = import_folder(Path("from-the-cluster"), results)
    done.n_imported, done.n_present, done.problems

Every run is checked before it is taken: its report can be read, its predictions give its score
again, its digests are those of what it holds. Nothing that is there already is changed.
"""

import dataclasses
import math
import shutil
from pathlib import Path

from biobench import metrics
from biobench.errors import BadInput
from biobench.interfaces import Provenance
from biobench.results.predictions import KNOWN_COLUMNS, to_examples
from biobench.results.scan import Problem, scan
from biobench.results.store import (
    LOG,
    PREDICTIONS,
    REPORT,
    SCORES,
    get_run_folder,
    place,
    read_predictions,
    read_report,
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
            n_imported += _import_run(run, root)
        except FileExistsError:
            n_present += 1
        except BadInput as err:
            problems.append(Problem(run, str(err)))
    return Imported(n_imported, n_present, problems)


def _import_run(run: Path, root: Path) -> int:
    report = read_report(run)
    _check(run, report)
    try:
        target = get_run_folder(root, report)
    except ValueError as err:
        raise BadInput(f"{run / REPORT}: {err}.") from err
    if target.exists() and read_report(target) != report:
        raise BadInput(f"{run}: another run has its place, {target}; it was not overwritten.")

    def fill(folder: Path) -> None:
        for name in (REPORT, PREDICTIONS, SCORES, LOG):
            if (run / name).is_file():
                shutil.copyfile(run / name, folder / name)

    place(target, fill)
    return 1


def _check(run: Path, report: dict) -> None:
    """Raise BadInput where a run contradicts itself."""
    try:
        provenance = Provenance(**report["provenance"])
    except TypeError as err:
        raise BadInput(
            f"{run / REPORT} is damaged: its provenance has odd fields ({err})."
        ) from err
    if provenance.protocol_digest() != report["protocol_digest"]:
        raise BadInput(f"{run / REPORT}: protocol_digest is not that of the protocol and data.")
    if not report["has_predictions"]:
        return
    table = read_predictions(run)
    missing = [name for name in KNOWN_COLUMNS if name not in table.columns]
    if missing:
        raise BadInput(f"{run / PREDICTIONS}: missing column {', '.join(missing)}.")
    if table.height != report["n"]:
        raise BadInput(
            f"{run / PREDICTIONS} has {table.height:,} rows, but the report says {report['n']:,}."
        )
    name = provenance.protocol.get("metric")
    if name not in metrics.list_metrics():
        return
    score = metrics.get_metric(name)(to_examples(table))
    if not math.isclose(score, report["score"], abs_tol=TOLERANCE):
        raise BadInput(
            f"{run}: the predictions give {name} {score:.6f}, but the report says "
            f"{report['score']:.6f}."
        )
