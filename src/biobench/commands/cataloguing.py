"""How `biobench models` prints the list of checkpoints: lines for people, JSON, CSV."""

import csv
import io
import itertools
import typing
from collections.abc import Iterable, Iterator, Sequence

if typing.TYPE_CHECKING:
    from biobench.catalog import Checkpoint

__all__ = ["explain_checkpoints", "list_checkpoints", "tabulate"]

COUNTED = (
    "GFLOPs: 10^9 operations a picture, a multiplication with its addition two of them (papers "
    "often count the pair once: half). Of a CLIP model its image tower alone."
)
SEEN_MEANS = (
    "Seen: tasks whose pictures, or others of where theirs come from, pretraining is known to "
    "hold; of those not named it is mostly not known. Which, and by whose word: --explain."
)


def list_checkpoints(found: Sequence["Checkpoint"], adapters: Iterable[str]) -> Iterator[str]:
    """A line a checkpoint under its family, then how to read them. adapters: their names."""
    from biobench import clean

    width = max((len(one.name) for one in found), default=0)
    head = f"  {'':<{width}}  {'params':>7}  {'GFLOPs':>7}  {'px':>4}  seen"
    for (family, organisation), some in itertools.groupby(
        found, lambda one: (one.family, one.organisation)
    ):
        yield f"{family}, {organisation}"
        yield head
        for one in some:
            numbers = f"{_show_count(one.params):>7}  {_show_gflops(one.gflops):>7}"
            size = "–" if one.image_size is None else str(one.image_size)
            line = f"  {one.name:<{width}}  {numbers}  {size:>4}  {' '.join(one.seen)}"
            yield clean.line(line).rstrip()
        yield ""
    yield f"{len(found):,} checkpoint{'s' * (len(found) != 1)}. {COUNTED}"
    if found:
        yield SEEN_MEANS
    orgs = ", ".join(clean.line(org) for org in adapters)
    yield f"Any other ORG:CKPT of an adapter runs as well ({orgs}): --adapters."


def explain_checkpoints(found: Sequence["Checkpoint"]) -> Iterator[str]:
    """All that the list has of each checkpoint, with its sources."""
    from biobench import catalog, clean

    for one in found:
        yield clean.line(one.name)
        rows = [
            ("family", f"{one.family}, {one.organisation}, {one.year}"),
            ("licence", one.licence + ("; given to those who ask" if one.is_gated else "")),
            ("cost", _say_cost(one)),
            ("vector", _say_vector(one)),
            ("source", one.source),
        ]
        for key in one.data:
            part = catalog.find_dataset(key)
            rows.append(("trained on", f"{part.title} ({part.source})"))
        by_status = sorted(
            ((one.judge(task), task) for task in catalog.list_tasks()),
            key=lambda pair: catalog.STATUSES.index(pair[0].status),
        )
        for finding, task in by_status:
            if finding.status != "unknown":
                what = {"none": "has not seen"}.get(finding.status, "has seen")
                kind = f" ({finding.status})" if finding.is_seen else ""
                rows.append((what, f"{task}{kind}: {finding.because}"))
        unknown = [task for finding, task in by_status if finding.status == "unknown"]
        if unknown:
            rows.append(("not known", ", ".join(unknown)))
        for name, value in rows:
            yield clean.line(f"  {name:<13}{value}")
        yield ""


def tabulate(found: Sequence["Checkpoint"]) -> str:
    """The checkpoints as CSV: of contamination a column a task, lists parted by blanks."""
    from biobench import catalog, clean

    names = ("name", "family", "organisation", "year", "params", "gflops", "gmacs", "image_size")
    names = (*names, "dim", "licence", "gated", "data", "seen")
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*names, *catalog.list_tasks()])
    for one in found:
        row = one.to_dict()
        shown = [" ".join(row[n]) if isinstance(row[n], list) else row[n] for n in names]
        statuses = [one.judge(task).status for task in catalog.list_tasks()]
        values = [clean.csv(value) if isinstance(value, str) else value for value in shown]
        writer.writerow([*values, *statuses])
    return text.getvalue().rstrip("\n")


def _say_vector(one: "Checkpoint") -> str:
    row = one.pooling
    return f"{row.describe()} ({row.source})" if row else "not known: no adapter here loads it"


def _say_cost(one: "Checkpoint") -> str:
    parts = [f"{_show_count(one.params)} parameters"]
    if one.gflops is not None:
        parts.append(f"{_show_gflops(one.gflops)} GFLOPs ({_show_gflops(one.gmacs)} GMACs)")
    if one.image_size is not None:
        parts.append(f"{one.image_size} pixels a side")
    if one.dim is not None:
        parts.append(f"{one.dim} features")
    how = f"counted on {one.arch}" if one.arch else "as published, not counted here"
    paper = one.published
    if paper is not None and one.arch:
        with_classes = f" with a classifier of {paper.classes:,} classes" * bool(paper.classes)
        differs = f", {paper.differs}" if paper.differs else ""
        how += f"; published: {paper.params:,}{with_classes}{differs}"
    return f"{', '.join(parts)}; {how}"


def _show_count(count: int | None) -> str:
    """Parameters with three digits: 86.2M, 1.14B."""
    if count is None:
        return "–"
    value, unit = (count / 1e9, "B") if count >= 999_500_000 else (count / 1e6, "M")
    return (
        f"{value:.0f}{unit}"
        if value >= 99.95
        else f"{value:.1f}{unit}"
        if value >= 9.995
        else f"{value:.2f}{unit}"
    )


def _show_gflops(value: float | None) -> str:
    return "–" if value is None else f"{value:,.0f}" if value >= 99.95 else f"{value:.3g}"
