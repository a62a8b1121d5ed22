"""The pictures: where two models disagree, what most have wrong, which classes are confused."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import polars as pl

from biobench import clean
from biobench.report.site.addresses import address, to_file_name
from biobench.report.site.confused_classes import Confusions, find_confusions
from biobench.report.site.disagreements import KINDS, Disagreements, find_disagreements, pick
from biobench.report.site.mistakes import find_mistakes, pick_mistakes
from biobench.report.site.pages import File, Kind, Page
from biobench.report.site.picture_answers import join_class, read_answers
from biobench.report.site.pictured_pairs import address_pictures, choose_pictured
from biobench.report.site.shown_pictures import Answer, Item, count_missing, show
from biobench.report.site.subject import Subject
from biobench.report.site.thumbnails import Album

__all__ = ["KIND"]

MAX_MODELS = 12
"""of a task, best first, whose mistakes are looked at."""

MAX_DISAGREEMENTS, MAX_MISTAKES, MAX_CONFUSED = 600, 400, 200
"""pictures of all pages of a sort together, as long as each page has its least number."""

MAX_PAIRS = 12
"""of confused classes of a task, with pictures."""

MAX_OF_PAIR = 4
MAX_CLASSES = 25
"""rows of a table of classes."""

MAX_NAMES = 3
"""models named behind one answer."""


@dataclasses.dataclass(frozen=True)
class Choices:
    """What the pictures of a page can be filtered by: the values that there are, and shown."""

    key: str
    label: str
    values: Sequence[tuple[str, str]]
    """what the page's data say, what the reader sees."""


@dataclasses.dataclass(frozen=True)
class Gallery:
    """Pictures with filters."""

    id: str
    items: Sequence[Item]
    choices: Sequence[Choices]
    n_missing: int
    has_images: bool


@dataclasses.dataclass(frozen=True)
class Part:
    """Two models on one task."""

    heading: str
    counts: Mapping[str, int]
    shown: Mapping[str, int]
    by_class: Sequence[Mapping[str, object]]
    n_more: int
    """classes that are not in the table."""


@dataclasses.dataclass(frozen=True)
class Disagreement:
    """The page of a pair of models."""

    a: str
    b: str
    address_a: str
    address_b: str
    parts: Sequence[Part]
    gallery: Gallery


@dataclasses.dataclass(frozen=True)
class Mistakes:
    """The page of a task's mistakes."""

    heading: str
    address: str
    address_task: str
    models: Sequence[str]
    n_examples: int
    n_wrong: int
    """examples that any model has wrong."""
    n_all_wrong: int
    """that all have wrong."""
    by_model: Sequence[tuple[str, int, int]]
    """model, its mistakes, the examples it answered."""
    gallery: Gallery
    confusions: str
    """the address of that page."""


@dataclasses.dataclass(frozen=True)
class ConfusedPair:
    """A class that is taken for another."""

    truth: str
    answer: str
    n: int
    n_truth: int
    items: Sequence[Item]


@dataclasses.dataclass(frozen=True)
class ConfusionPage:
    """The page of a task's confusions."""

    heading: str
    address_task: str
    mistakes: str
    model: str
    found: Confusions
    pairs: Sequence[ConfusedPair]
    n_pairs: int
    data: str
    csv: str
    n_missing: int
    has_images: bool


@dataclasses.dataclass(frozen=True)
class Index:
    """The page that leads to all of them."""

    pairs: Sequence[tuple[str, str, str, *tuple[int, ...]]]
    """address, the two models, and examples that one alone, the other alone, neither has right."""
    tasks: Sequence[Mistakes]
    has_images: bool
    n_pictures: int


@dataclasses.dataclass
class _Pair:
    a: str
    b: str
    parts: list[Part] = dataclasses.field(default_factory=list)
    items: list[Item] = dataclasses.field(default_factory=list)


def _make(subject: Subject) -> Iterator[Page | File]:
    album = Album(subject.images)
    pairs = [_Pair(a, b) for a, b in choose_pictured(subject)]
    tasks = subject.board.tasks
    n_kind = _share(MAX_DISAGREEMENTS, len(pairs) * len(tasks) * len(KINDS), least=2, most=24)
    n_mistakes = _share(MAX_MISTAKES, len(tasks), least=24, most=120)
    made: list[Page | File] = []
    mistakes: list[Mistakes] = []
    for task in tasks:
        best = [cell.model for cell in subject.rank_cells(task)][:MAX_MODELS]
        also = [model for pair in pairs for model in (pair.a, pair.b)]
        answers = read_answers(subject, task, list(dict.fromkeys([*best, *also])))
        if not answers:
            continue
        for pair in pairs:
            if pair.a in answers and pair.b in answers:
                _add_part(subject, album, task, pair, answers, n_kind)
        shown = {model: answers[model] for model in best if model in answers} or answers
        view = _make_mistakes(subject, album, task, shown, n_mistakes)
        mistakes.append(view)
        made.append(Page(view.address, f"Mistakes on {view.heading}", "mistakes.html.j2", view))
        made.extend(_make_confusions(subject, album, task, shown))
    if not mistakes and not pairs:
        return
    views = [_make_disagreement(subject, pair) for pair in pairs]
    listed = [
        (
            address_pictures(pair.a, pair.b),
            pair.a,
            pair.b,
            *(sum(part.counts[kind] for part in pair.parts) for kind in KINDS),
        )
        for pair in pairs
    ]
    index = Index(listed, mistakes, subject.images is not None, len(album.files))
    yield Page("pictures.html", "Pictures", "pictures.html.j2", index)
    for pair, view in zip(pairs, views, strict=True):
        title = f"Where {pair.a} and {pair.b} disagree"
        yield Page(address_pictures(pair.a, pair.b), title, "disagreement.html.j2", view)
    yield from made
    for path, content in album.files.items():
        yield File(path, content)


def _share(budget: int, n: int, *, least: int, most: int) -> int:
    return min(most, max(least, budget // max(1, n)))


def _find_folder(subject: Subject, task: str) -> str:
    """What the task's folder of pictures is called."""
    return str(subject.list_runs(task=task)[0].report["task"])


def _add_part(
    subject: Subject,
    album: Album,
    task: str,
    pair: _Pair,
    answers: Mapping[str, pl.DataFrame],
    n: int,
) -> None:
    found = find_disagreements(answers[pair.a], answers[pair.b])
    heading, shown = subject.board.head(task), {}
    for kind in KINDS:
        rows = pick(found.table, kind, n)
        shown[kind] = rows.height
        for row in rows.iter_rows(named=True):
            said = [
                Answer(
                    "A", row["answer_a"] or "", row["sureness_a"], row["truth"] == row["answer_a"]
                ),
                Answer(
                    "B", row["answer_b"] or "", row["sureness_b"], row["truth"] == row["answer_b"]
                ),
            ]
            item = show(album, _find_folder(subject, task), heading, row, said)
            pair.items.append(dataclasses.replace(item, kind=kind))
    pair.parts.append(_make_part(heading, found, shown))


def _make_part(heading: str, found: Disagreements, shown: Mapping[str, int]) -> Part:
    rows = found.by_class.filter(pl.sum_horizontal(KINDS) > 0)
    return Part(
        heading=heading,
        counts=found.counts,
        shown=shown,
        by_class=rows[:MAX_CLASSES].to_dicts(),
        n_more=max(0, rows.height - MAX_CLASSES),
    )


def _make_disagreement(subject: Subject, pair: _Pair) -> Disagreement:
    kinds = [("a", "only A is right"), ("b", "only B is right"), ("both-wrong", "both are wrong")]
    return Disagreement(
        a=pair.a,
        b=pair.b,
        address_a=subject.address_model(pair.a),
        address_b=subject.address_model(pair.b),
        parts=pair.parts,
        gallery=_make_gallery(
            subject, pair.items, [Choices("kind", "Who is right", kinds), _list_tasks(pair.items)]
        ),
    )


def _make_gallery(subject: Subject, items: Sequence[Item], choices: Sequence[Choices]) -> Gallery:
    classes = sorted({item.truth for item in items})
    groups = sorted({item.group for item in items} - {""})
    every = [
        *choices,
        Choices("truth", "Class", [(name, name) for name in classes]),
        Choices("group", "Group", [(name, name) for name in groups]),
    ]
    return Gallery(
        id="g",
        items=items,
        choices=[one for one in every if len(one.values) > 1],
        n_missing=count_missing(items),
        has_images=subject.images is not None,
    )


def _list_tasks(items: Sequence[Item]) -> Choices:
    names = list(dict.fromkeys(item.heading for item in items))
    return Choices("task", "Task", [(name, name) for name in names])


def _make_mistakes(
    subject: Subject, album: Album, task: str, answers: Mapping[str, pl.DataFrame], n: int
) -> Mistakes:
    table = find_mistakes(answers)
    models = list(answers)
    marks = {model: f"|{i}|" for i, model in enumerate(models)}
    heading, items = subject.board.head(task), []
    for row in pick_mistakes(table, n).iter_rows(named=True):
        item = show(album, _find_folder(subject, task), heading, row, _group_answers(row))
        words = f"wrong for {row['n_wrong']:,} of {row['n']:,}"
        items.append(
            dataclasses.replace(
                item,
                words=words if len(models) > 1 else "",
                marks="".join(marks[model] for model in row["wrong"]),
            )
        )
    wrong_for = Choices("model", "Wrong for", [(marks[model], model) for model in models])
    return Mistakes(
        heading=heading,
        address=address("mistakes", task),
        address_task=subject.address_task(task),
        models=models,
        n_examples=max(one.height for one in answers.values()),
        n_wrong=table.height,
        n_all_wrong=table.filter(pl.col("n_wrong") == pl.col("n")).height,
        by_model=[
            (model, int((~one["is_right"]).sum()), one.height) for model, one in answers.items()
        ],
        gallery=_make_gallery(subject, items, [wrong_for]),
        confusions=address("confusions", task),
    )


def _group_answers(row: Mapping[str, Any]) -> list[Answer]:
    """The wrong answers, the commonest first, each with the models that gave it."""
    by_label: dict[str, list[int]] = {}
    for i, label in enumerate(row["wrong_answers"]):
        by_label.setdefault(label or "", []).append(i)
    found = []
    for label, places in sorted(by_label.items(), key=lambda one: (-len(one[1]), one[0])):
        names = [row["wrong"][i] for i in places]
        more = f" and {len(names) - MAX_NAMES:,} more" if len(names) > MAX_NAMES else ""
        sureness = row["surenesses"][places[0]] if len(places) == 1 else None
        found.append(Answer(", ".join(names[:MAX_NAMES]) + more, label, sureness, False))
    return found


def _make_confusions(
    subject: Subject, album: Album, task: str, answers: Mapping[str, pl.DataFrame]
) -> Iterator[Page | File]:
    model, table = next(iter(answers.items()))
    found = find_confusions(table)
    slug, folder = to_file_name(task), _find_folder(subject, task)
    named = table.with_columns(
        join_class("truth").alias("class"), join_class("answer").alias("answered")
    )
    pairs = []
    n_pairs = _share(MAX_CONFUSED, len(subject.board.tasks) * MAX_OF_PAIR, least=3, most=MAX_PAIRS)
    for truth, answer, n, n_truth in found.pairs[:n_pairs].rows():
        fits = (pl.col("class") == truth) & (pl.col("answered") == answer)
        rows = named.filter(fits).sort("sureness", descending=True, nulls_last=True)[:MAX_OF_PAIR]
        items = [
            show(
                album,
                folder,
                subject.board.head(task),
                row,
                [Answer("", row["answer"], row["sureness"], False)],
            )
            for row in rows.iter_rows(named=True)
        ]
        pairs.append(ConfusedPair(truth, answer, n, n_truth, items))
    view = ConfusionPage(
        heading=subject.board.head(task),
        address_task=subject.address_task(task),
        mistakes=address("mistakes", task),
        model=model,
        found=found,
        pairs=pairs,
        n_pairs=found.pairs.height,
        data=f"data/confusions-{slug}.js",
        csv=f"data/confusions-{slug}.csv",
        n_missing=sum(count_missing(pair.items) for pair in pairs),
        has_images=subject.images is not None,
    )
    title = f"Confusions on {view.heading}"
    yield Page(address("confusions", task), title, "confusions.html.j2", view)
    data = {"classes": [clean.line(name) for name in found.classes], "cells": found.cells}
    yield File(view.data, f"window.confusions = {clean.to_json(data)};\n")
    yield File(view.csv, clean.csv_table(found.pairs).write_csv())


KIND = Kind("pictures", "Pictures", _make)
