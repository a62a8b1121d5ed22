"""Two models on the same test examples: is there a difference, and could it have been seen?

comparison = compare(results, "timm:resnet50.a1_in1k", "open-clip:ViT-B-16/openai")
comparison.table     # one row a task that both have; the suite's mean is the task "mean"
comparison.notes     # how to read it, and what was left out
"""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

import polars as pl

from biobench import results, stats
from biobench.errors import BadInput
from biobench.metrics import Metric, is_better_low
from biobench.report.alarms import name_alarms_of_pair
from biobench.report.aliases import find_model, rename
from biobench.report.cells import Cells, get_metrics, get_scorable, read_cells
from biobench.report.contaminating import add_seen, explain_seen
from biobench.report.notes import MEAN, count, explain_seeds, name_some
from biobench.report.presets import find_presets, name_mean
from biobench.report.published_notes import explain_doubts
from biobench.report.reconciling import name_doubts
from biobench.report.rescoring import describe_rescoring, rescore
from biobench.report.selection import select
from biobench.report.views import Note
from biobench.stats.pair import SCHEMA

__all__ = ["Comparison", "compare"]


@dataclasses.dataclass(frozen=True)
class Comparison:
    """What two models' scores differ by. `table` has the columns task, a, b, score_a, score_b,
    difference (a - b), ci_low, ci_high (its interval), p, p_holm, n, n_groups, n_left_out,
    detectable (the smallest difference that would have been seen four times in five; null where no
    difference could) and warnings. Where the predictions of one of them are not here, the
    difference is that of two numbers, and all behind it is null."""

    a: str
    b: str
    table: pl.DataFrame
    notes: list[Note]
    """how to read the table and what was left out, one sentence each."""
    problems: list[results.Problem]
    """folders that could not be read."""
    doubts: list[str] = dataclasses.field(default_factory=list)
    """one sentence for each run whose report says something else than its predictions give."""
    unknown: list[str] = dataclasses.field(default_factory=list)
    """one sentence for each metric of the runs that cannot be used here, and what to do."""
    headings: dict[str, str] = dataclasses.field(default_factory=dict)
    """what each task is called for people: with its protocol, where that is not its own."""
    alarms: list[str] = dataclasses.field(default_factory=list)
    """what a reader has to know first, short, the worst first; the notes say more."""

    def head(self, task: str) -> str:
        """What a row is called for people."""
        return self.headings.get(task, task)


def compare(
    root: Path,
    a: str,
    b: str,
    *,
    tasks: Sequence[str] = (),
    where: Mapping[str, str] | None = None,
    metric: str = "",
    aliases: Sequence[str] = (),
) -> Comparison:
    """Compare the models `a` and `b` (as ORG:CKPT) on every task that both were run on.

    tasks, where: see `selection.select`. metric: score the predictions anew by this one instead of
    each task's own. aliases: names for models, each ORG:CKPT=Name.
    Raises BadInput where a model is not there, is compared with itself, or both share no task.
    """
    selection = select(root, tasks=tasks, where=where)
    stored = get_scorable(selection.runs)
    if metric:
        selection = rescore(selection, metric)
    a, b = (find_model(selection, name) for name in (a, b))
    if a == b:
        raise BadInput(f"{a} is compared with itself; name two models.")
    renamed = rename(selection, aliases)
    shown = dict(zip(selection.runs["row"], renamed.runs["row"], strict=True))
    a, b, selection = shown[a], shown[b], renamed
    runs = selection.runs.filter(pl.col("row").is_in([a, b]))
    scorable = get_scorable(runs)
    unknown = results.describe_unknown(runs)
    cells, unreadable = read_cells(scorable)
    shared = {task for _, task in cells if (a, task) in cells and (b, task) in cells}
    untested = _compare_untested(runs, a, b, shared, unreadable)
    if not shared and not untested.height:
        raise BadInput(
            " ".join(unknown)
            or f"{a} and {b} share no task whose predictions can be read; run both on one task "
            "under one protocol and on the same data."
        )
    cells = cells.keep_tasks(shared)
    used = scorable.filter(pl.col("column").is_in(shared))
    doubts = name_doubts(stored.filter(pl.col("run").is_in(used["run"].implode())))
    by_task = get_metrics(scorable, shared)
    presets = find_presets(runs.filter(pl.col("column").is_in([*shared, *untested["task"]])))
    is_alone = len(set(presets.values())) == 1
    means = {preset: MEAN if is_alone else name_mean(preset) for preset in presets.values()}
    tested = _compare_by_preset(cells, by_task, presets, means, a, b)
    table = pl.concat([*tested, untested])
    # A score and an error have no mean that says anything, nor has a part of the tasks.
    are_alike = len({is_better_low(one) for one in by_task.values()}) < 2
    partial = {means[presets[task]] for task in untested["task"]}
    if selection.split or unknown or not are_alike:
        partial = set(means.values())
    table = table.filter(~pl.col("task").is_in(partial))
    problems = [*selection.problems, *unreadable]
    heads = selection.headings
    if len(set(presets.values())) == 1:
        heads = {**heads, MEAN: name_mean(next(iter(presets.values())))}
    named = table.with_columns(pl.col("task").replace(heads))
    # Of both, but by a metric that is not known here.
    lost = runs.join(scorable, on="run", how="anti").filter("has_predictions")["column"]
    known = shared | set(lost) | set(untested["task"])
    alone = sorted(heads[column] for column in set(runs["column"]) - known)
    notes = _explain(named, {MEAN, *map(name_mean, means)}, alone, problems)
    seeds = _get_seeds(cells).with_columns(pl.col("task").replace(heads))
    at = 2 if table["p"].count() else 0
    notes[at:at] = explain_seeds(seeds, selection.with_headings())
    said = selection.with_headings().runs.filter(pl.col("run").is_in(runs["run"].implode()))
    notes += explain_doubts(said.filter(pl.col("column").is_in(named["task"].implode())))
    notes += [Note(doubt, "Warning") for doubt in doubts] + [Note(lost) for lost in unknown]
    pairs = [(model, task) for model in (a, b) for task in table["task"]]
    schema = {"model": pl.String, "task": pl.String}
    both = add_seen(pl.DataFrame(pairs, schema=schema, orient="row"), selection)
    notes += explain_seen(both.with_columns(pl.col("task").replace(heads)))
    if metric:
        notes.insert(0, Note(describe_rescoring(metric)))
    alarms = name_alarms_of_pair(named, problems, doubts, alone)
    return Comparison(a, b, table, notes, problems, doubts, unknown, heads, [*unknown, *alarms])


def _compare_by_preset(
    cells: Cells,
    metrics: Mapping[str, Metric],
    presets: Mapping[str, str],
    means: Mapping[str, str],
    a: str,
    b: str,
) -> list[pl.DataFrame]:
    """The comparison of each preset's tasks by itself: its own mean, its own correction of p.

    presets: of each task. means: what the mean of each preset is called.
    """
    tables = []
    for preset, mean in means.items():
        ours = {task: one for task, one in metrics.items() if presets[task] == preset}
        if not ours:
            continue
        table = stats.compare_models(cells.keep_tasks(ours), ours, a, b)
        if len(ours) < 2:
            table = table.filter(pl.col("task") != MEAN)
        tables.append(table.with_columns(pl.col("task").replace({MEAN: mean})))
    return tables


def _compare_untested(
    runs: pl.DataFrame,
    a: str,
    b: str,
    tested: set[str],
    unreadable: Sequence[results.Problem],
) -> pl.DataFrame:
    """What the scores of tasks differ by of which a model has no predictions here."""
    gone = [str(problem.path) for problem in unreadable]
    rest = runs.filter(~pl.col("column").is_in(list(tested)), ~pl.col("run").is_in(gone))
    # Of both there are predictions where only the metric cannot be used; that is said elsewhere.
    bare = rest.filter(~pl.col("has_predictions"))["column"].unique()
    rest = rest.filter(pl.col("column").is_in(bare.implode()))
    rows = []
    for task, cell in rest.group_by("column", maintain_order=True):
        scores = {row: _mean_score(one) for (row,), one in cell.group_by("row")}
        if {a, b} <= scores.keys():
            given = {"score_a": scores[a], "score_b": scores[b], "warnings": []}
            rows.append({"task": task[0], "a": a, "b": b} | given)
    table = pl.DataFrame(rows, schema=SCHEMA, orient="row").sort("task")
    return table.with_columns(difference=pl.col("score_a") - pl.col("score_b"))


def _mean_score(cell: pl.DataFrame) -> float:
    return float(cell["score"].to_numpy().mean())


def _get_seeds(cells: Cells) -> pl.DataFrame:
    rows = [(model, task, list(runs)) for (model, task), runs in cells.runs.items()]
    schema = {"model": pl.String, "task": pl.String, "seeds": pl.List(pl.String)}
    return pl.DataFrame(rows, schema=schema, orient="row")


def _explain(
    table: pl.DataFrame, means: set[str], alone: list[str], problems: list[results.Problem]
) -> list[Note]:
    texts = [
        "Difference: score of A minus score of B on the same examples, with its 95% interval; p: "
        "paired permutation test of this pair alone; p (Holm): corrected for the number of rows, "
        "not for the other models that there are.",
        "Detectable: the smallest difference that this test set shows four times in five; below "
        "it, no difference found is no sign that there is none.",
    ]
    notes = [Note(text) for text in texts] if table["p"].count() else []
    tasks = table.filter(~pl.col("task").is_in(means))
    grouped = tasks.filter(pl.col("n_groups") < pl.col("n"))
    if grouped.height:
        notes.append(
            Note(
                f"Whole groups of examples (one camera, video or specimen) were resampled and "
                f"exchanged in {name_some(grouped['task'].to_list())}."
            )
        )
    untested = table.filter(pl.col("p").is_null())["task"].to_list()
    if untested:
        notes.append(
            Note(
                f"Not tested: {name_some(untested)}. The predictions of at least one of the two "
                "are not here; the difference is that of two numbers, and says nothing by itself."
            )
        )
    nothing = table.filter(pl.col("detectable").is_null(), pl.col("p").is_not_null())
    if nothing.height:
        notes.append(
            Note(
                f"Detectable none ({name_some(nothing['task'].to_list())}): there are too few "
                "groups for any difference, however large, to be shown at 5% with Holm's "
                "correction."
            )
        )
    if alone:
        notes.append(Note(f"Only one of the two has {name_some(alone)}: not compared."))
    left_out = tasks.filter(pl.col("n_left_out") > 0)
    for task, n in left_out.select("task", "n_left_out").rows():
        notes.append(Note(f"{task}: {count(n, 'example')} that only one of the two has left out."))
    warnings = [w for row in table["warnings"].to_list() for w in row or []]
    notes += [Note(text, "Warning") for text in dict.fromkeys(warnings)]
    notes += [Note(problem.reason, "Left out") for problem in problems]
    return notes
