"""What the results say, in words that follow from the numbers by rule.

    verdict = judge(subject)
    verdict.headline        # "timm:x is the best: 79%, 59 to 91; clearly ahead of timm:y (70%)."
    verdict.next_step       # what to do now, with the command

A model is called the best only where no other may be (`tied_with_best`, at 5% over all pairs); one
that is merely highest is said to be just that. Nothing is compared that has no interval.
"""

import dataclasses
from collections.abc import Sequence

from biobench import clean
from biobench.report.notes import MEAN, count, name_some
from biobench.report.site.subject import Subject
from biobench.report.views import ODD, WRONG, CellView

__all__ = ["Verdict", "judge", "say_score"]

SHARES = ("mean-score", "accuracy", "macro-accuracy")
"""metrics that are a share of something, and are said in per cent."""

MAX_NAMED = 3


@dataclasses.dataclass(frozen=True)
class Verdict:
    """One judgement of all that there is."""

    kind: str
    """"best", "leading" (several may be the best), "all-tied", "one-model", "only-one-complete",
    "no-order" (several tasks and no mean), "unverified" (nothing can be tested)."""
    headline: str
    details: tuple[str, ...]
    """what limits it, a sentence each."""
    next_step: str
    command: str
    """what to type for that; empty where the next step is no command."""


def judge(subject: Subject) -> Verdict:
    """The verdict on all models of a leaderboard."""
    details = tuple(_name_limits(subject))
    column = subject.headline
    if len(subject.board.models) == 1:
        return _judge_one(subject, details)
    if not column:
        return _judge_without_order(subject, details)
    cells = [cell for cell in subject.rank_cells(column) if cell.rank is not None]
    if not cells or cells[0].ci is None:
        return _judge_unverified(subject, column, details)
    if len(cells) == 1:
        return _judge_only_complete(subject, column, cells[0], details)
    return _judge_ranked(subject, column, cells, details)


def _judge_ranked(
    subject: Subject, column: str, cells: Sequence[CellView], details: tuple[str, ...]
) -> Verdict:
    best, *others = cells
    say = _Speaker(subject, column)
    tied = [cell for cell in others if cell.tied_with_best]
    behind = [cell for cell in others if not cell.tied_with_best]
    if not tied:
        headline = (
            f"{best.model} is the best {say.where}: {say.score(best)}; clearly ahead of "
            f"{behind[0].model} ({say.brief(behind[0])})."
        )
        step = f"See where it fails, or what sets it apart from {behind[0].model}."
        return Verdict(
            "best", headline, details, step, _compare(subject, best.model, behind[0].model)
        )
    named = name_some([f"{cell.model} ({say.brief(cell)})" for cell in tied], MAX_NAMED)
    if not behind:
        headline = (
            f"No model is shown to be better than another {say.where}: {best.model} has the "
            f"{say.top} score, {say.score(best)}, and each of the {len(cells):,} models may be the "
            "best."
        )
        step = (
            "The test set is too small to tell them apart: add test pictures, or see what "
            "difference it could have shown."
        )
        return Verdict(
            "all-tied", headline, details, step, _compare(subject, best.model, tied[0].model)
        )
    headline = (
        f"{best.model} has the {say.top} score {say.where}, {say.score(best)}, and "
        f"{named} may be as good; clearly ahead of {behind[0].model} ({say.brief(behind[0])})."
    )
    step = f"Choose among the {len(tied) + 1} by cost, or see where the first two differ."
    return Verdict("leading", headline, details, step, _compare(subject, best.model, tied[0].model))


def _judge_one(subject: Subject, details: tuple[str, ...]) -> Verdict:
    (model,) = subject.board.models
    column = subject.headline or subject.board.tasks[0]
    say, cell = _Speaker(subject, column), subject.cells[model, column]
    more = len(subject.board.tasks) - 1
    also = f" and has {count(more, 'more task')}" if column != MEAN and more else ""
    headline = (
        f"There is nothing to compare yet: {model} is the only model; it scores "
        f"{say.score(cell)} {say.where}{also}."
    )
    words = ["biobench", "run", "--models", model, "ORG:CKPT", "--results", str(subject.root)]
    return Verdict(
        "one-model", headline, details, "Run a second model on the same data.", clean.shell(words)
    )


def _judge_only_complete(
    subject: Subject, column: str, cell: CellView, details: tuple[str, ...]
) -> Verdict:
    say = _Speaker(subject, column)
    is_alone = not any(one.published for one in subject.rank_cells(column))
    lacks = "every task" if column == MEAN and is_alone else "predictions"
    headline = (
        f"Only {cell.model} has {lacks}, and scores {say.score(cell)} {say.where}; the other "
        f"{count(len(subject.board.models) - 1, 'model')} cannot be held against it."
    )
    step = "Run what the others lack."
    return Verdict("only-one-complete", headline, details, step, _resume(subject))


def _judge_without_order(subject: Subject, details: tuple[str, ...]) -> Verdict:
    board = subject.board
    ranked = [cell for cell in subject.cells.values() if cell.rank is not None]
    if not ranked:
        return _judge_unverified(subject, _find_sound(subject), details)
    tasks = list(dict.fromkeys(cell.task for cell in ranked))
    leading = {
        model: sum(cell.model == model and bool(cell.tied_with_best) for cell in ranked)
        for model in board.models
    }
    first = max(board.models, key=lambda model: leading[model])
    equals = [model for model in board.models if leading[model] == leading[first]]
    if len(equals) > 1:
        names = name_some(equals, MAX_NAMED)
        which = f"{names} are each among the best on {leading[first]:,} of {len(tasks):,}"
    else:
        which = f"{first} is among the best on {leading[first]:,} of {len(tasks):,}"
    why = "no model has every task" if not _find_complete(subject) else "there is no mean over them"
    headline = f"No model can be called the best of all tasks, as {why}; {which}."
    step = "Look at one task at a time, or run what is missing so that there is a mean."
    return Verdict("no-order", headline, details, step, _resume(subject))


def _judge_unverified(subject: Subject, column: str, details: tuple[str, ...]) -> Verdict:
    best = subject.rank_cells(column)[0]
    say = _Speaker(subject, column)
    headline = (
        f"Nothing here can be tested, as there are no predictions to compare: {best.model} has the "
        f"{say.top} score {say.where}, {say.score(best)}, which may be luck."
    )
    step = "Run the models yourself, so that every example's prediction is kept."
    return Verdict("unverified", headline, details, step, _resume(subject))


def _name_limits(subject: Subject) -> list[str]:
    """What is not there, and what is not sure."""
    board, found = subject.board, []
    lacking = [
        model
        for model in board.models
        if any((model, task) not in subject.cells for task in board.tasks)
    ]
    if lacking:
        verb = "lacks" if len(lacking) == 1 else "lack"
        found.append(
            f"{name_some(lacking, MAX_NAMED)} {verb} some task"
            f"{', and so a mean and a rank' if board.has_mean else ''}."
        )
    published = [cell for cell in subject.cells.values() if cell.published and cell.run]
    if published:
        found.append(
            f"{count(len(published), 'score')} taken over from a published leaderboard, without "
            "predictions: tested against nothing."
        )
    unsure = [cell for cell in subject.cells.values() if cell.ci is None and not cell.published]
    if unsure:
        names = [f"{board.head(cell.task)} of {cell.model}" for cell in unsure]
        found.append(f"Cannot be verified, as no predictions are there: {name_some(names, 2)}.")
    if board.problems:
        found.append(f"{count(len(board.problems), 'run')} could not be read and is left out.")
    return found


def _find_sound(subject: Subject) -> str:
    """The first of the tasks with the fewest published scores that are wrong or odd."""
    marks = [(task, cell.mark) for (_, task), cell in subject.cells.items()]
    counts = {task: [marks.count((task, mark)) for mark in (WRONG, ODD)] for task, _ in marks}
    return min(subject.board.tasks, key=lambda task: counts[task])


def _find_complete(subject: Subject) -> list[str]:
    return [
        model
        for model in subject.board.models
        if all((model, task) in subject.cells for task in subject.board.tasks)
    ]


def _compare(subject: Subject, a: str, b: str) -> str:
    return clean.shell(["biobench", "compare", a, b, "--results", str(subject.root)])


def _resume(subject: Subject) -> str:
    return clean.shell(["biobench", "run", "--results", str(subject.root)])


@dataclasses.dataclass(frozen=True)
class _Speaker:
    """Says scores of one column as its metric is said."""

    subject: Subject
    column: str

    @property
    def is_share(self) -> bool:
        known = self.subject.columns.get(self.column)
        return known is not None and known.metric in SHARES

    @property
    def top(self) -> str:
        return "lowest" if self.subject.board.signs.get(self.column, 1) < 0 else "highest"

    @property
    def where(self) -> str:
        cells = self.subject.rank_cells(self.column)
        some = any(cell.published for cell in cells) and any(cell.rank for cell in cells)
        among = ", of the models tested here" if some else ""
        if self.column == MEAN:
            return f"over {count(len(self.subject.board.tasks), 'task')}{among}"
        return f"on {self.subject.board.head(self.column)}{among}"

    def score(self, cell: CellView) -> str:
        return say_score(cell, is_share=self.is_share)

    def brief(self, cell: CellView) -> str:
        return f"{cell.score:.0%}" if self.is_share else f"{cell.score:.3f}"


def say_score(cell: CellView, *, is_share: bool) -> str:
    """A score with its interval: "79%, 59 to 91", or "0.790 (0.590 to 0.910)"."""
    if cell.ci is None:
        return f"{cell.score:.0%}" if is_share else f"{cell.score:.3f}"
    low, high = cell.ci
    if is_share:
        return f"{cell.score:.0%}, {100 * low:.0f} to {100 * high:.0f}"
    return f"{cell.score:.3f} ({low:.3f} to {high:.3f})"
