"""Metrics of stored runs that are not known here: which, and where to find them.

    for sentence in describe_unknown(scan(root).runs): ...

A run notes what it used that is not biobench's own (`Provenance.imports`). Readers execute no code
because a run says so, which may come from anywhere: they name it, and are told with `--imports`.
"""

from collections.abc import Iterable
from pathlib import Path

import polars as pl

from biobench import clean, metrics
from biobench.errors import BadInput
from biobench.results.store import read_report

__all__ = ["describe_unknown", "list_imports"]


def describe_unknown(runs: pl.DataFrame) -> list[str]:
    """One sentence for each metric that runs were scored by and that cannot be used here.

    runs: rows of `Scan.runs`, with their columns run and metric.
    """
    sentences = []
    for name in runs["metric"].drop_nulls().unique(maintain_order=True).to_list():
        try:
            metrics.get_metric(name)
        except BadInput as err:
            of = runs.filter(pl.col("metric") == name)["run"].to_list()
            sentences.append(_describe(name, of, str(err)))
    return sentences


def list_imports(runs: Iterable[Path], kind: str) -> list[str]:
    """What `--imports` must be given to find what runs used of one kind, as "metric"."""
    entries = (entry for run in runs for entry in _read_imports(run) if entry.get("kind") == kind)
    return list(dict.fromkeys(entry["imports"] for entry in entries if entry.get("imports")))


def _read_imports(run: Path) -> list[dict[str, str]]:
    return read_report(Path(run))["provenance"].get("imports", [])


def _describe(name: str, runs: list[str], why: str) -> str:
    more = f" and {len(runs) - 1:,} more" if len(runs) > 1 else ""
    entries = [entry for entry in _read_imports(Path(runs[-1])) if entry.get("name") == name]
    where = next((entry for entry in entries if entry.get("kind") == "metric"), {})
    if where.get("imports"):
        words = clean.shell(["--imports", where["imports"]])
        advice = f"give {words}, whose code is then executed"
    elif where.get("package"):
        advice = f"install the package {where['package']} that offers it"
    elif why.startswith("Unknown"):
        advice = "give --imports and the module that registers it"
    else:
        advice = why.rstrip(".")
    return (
        f"The metric '{name}' cannot be used here: {advice}; until then the scores of "
        f"{runs[-1]}{more} stand as their reports have them, without mean, ties and ranks."
    )
