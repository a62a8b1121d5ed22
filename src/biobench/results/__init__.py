"""Results that outlive their machine: immutable run folders, and everything that reads them.

    from biobench import results

    run = results.write_run(root, "newt", ("timm", "resnet50.a1_in1k"), report)
    found = results.scan(root)                     # every run, and what could not be read
    results.current(found.runs)                    # the newest run of every cell
    results.read_report(run), results.read_predictions(run)

Nothing here loads torch.
"""

from biobench.predictions import KNOWN_COLUMNS, to_examples, to_table
from biobench.results.columns import check_for_metric, read_for_metric
from biobench.results.exporting import TABLES, Exported, TableName, export
from biobench.results.importing import Imported, import_folder
from biobench.results.index import Problem, Scan, current, find_protocols, find_run, scan
from biobench.results.intake import import_any
from biobench.results.kept_intervals import get_shown
from biobench.results.legacy import import_sqlite
from biobench.results.scores import SCORES, read_scores
from biobench.results.seal import is_ours
from biobench.results.store import (
    get_schema,
    read_predictions,
    read_report,
    to_slug,
    write_run,
)
from biobench.results.unknown import describe_unknown, list_imports
from biobench.results.verification import (
    TOLERANCE,
    Verified,
    describe_mismatch,
    is_changed,
    is_intact,
    verify,
)

__all__ = [
    "KNOWN_COLUMNS",
    "SCORES",
    "TABLES",
    "TOLERANCE",
    "Exported",
    "Imported",
    "Problem",
    "Scan",
    "TableName",
    "Verified",
    "check_for_metric",
    "current",
    "describe_mismatch",
    "describe_unknown",
    "export",
    "find_protocols",
    "find_run",
    "get_schema",
    "get_shown",
    "import_any",
    "import_folder",
    "import_sqlite",
    "is_changed",
    "is_intact",
    "is_ours",
    "list_imports",
    "read_for_metric",
    "read_predictions",
    "read_report",
    "read_scores",
    "scan",
    "to_examples",
    "to_slug",
    "to_table",
    "verify",
    "write_run",
]
