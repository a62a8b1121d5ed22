"""The published `results.json`: scores and intervals, without predictions.

It has `models` (ckpt, display, family, resolution, params, release_ms), `results` (task, model,
mean, ci_low, ci_high) and `meta` (generated, in milliseconds, git_commit and more).
"""

import concurrent.futures
import dataclasses
import hashlib
import json
import typing
from pathlib import Path

from biobench.errors import BadInput
from biobench.results import safe_files
from biobench.results.importing import Imported
from biobench.results.index import Problem
from biobench.results.published.judging import BARE, REPEATED, describe, get_number, judge
from biobench.results.published.known_facts import map_task
from biobench.results.published.writing import (
    Source,
    Tally,
    build,
    get_time,
    make_id,
    name_some,
    to_date,
)
from biobench.results.store import write_folder

__all__ = ["import_json"]

N_WRITERS = 8
"""runs written at once: a disk is waited for, not computed with."""


def import_json(source: Path, root: Path) -> Imported:
    """Make a run without predictions of every score in `source`; rows there already are not made.

    Raises BadInput where `source` is no such file.
    """
    data = safe_files.read_file(source, safe_files.MAX_REPORT)
    content = _parse(data, source)
    meta = content.get("meta")
    meta = meta if isinstance(meta, dict) else {}
    about = {name: meta[name] for name in ("schema", "generated", "git_commit") if name in meta}
    digest = hashlib.sha256(data).hexdigest()
    reader = _Reader(Source(source.name, digest, "json", _keep_plain(about)), content)
    reports = reader.read(source)
    n_imported = n_present = 0
    problems = reader.problems
    with concurrent.futures.ThreadPoolExecutor(N_WRITERS) as pool:
        for number, done in pool.map(lambda one: (one[0], _write(root, one[1])), reports):
            n_imported += done is True
            n_present += done is False
            if isinstance(done, str):
                problems.append(Problem(source, f"{source}: result {number}: {done}"))
    return Imported(n_imported, n_present, problems, reader.notes())


def _write(root: Path, report: dict[str, object]) -> bool | str:
    """Whether the run was made, or was there already; why not, where it could not be."""
    try:
        write_folder(root, report, None)
    except FileExistsError:
        return False
    except (BadInput, ValueError) as err:
        return str(err)
    return True


def _parse(data: bytes, source: Path) -> dict[str, typing.Any]:
    try:
        content = json.loads(data)
    except (ValueError, RecursionError) as err:
        raise BadInput(
            f"{source} is neither JSON nor a database ({err}); name a results folder, a published "
            "results.json or a database."
        ) from err
    if not isinstance(content, dict) or not isinstance(content.get("results"), list):
        raise BadInput(
            f"{source} is no published results.json: it has no list 'results' of task, model, "
            "mean, ci_low, ci_high."
        )
    return content


def _keep_plain(values: dict[str, typing.Any]) -> dict[str, object]:
    """Those that a report can hold: texts, and numbers of 64 bits."""
    return {
        name: value
        for name, value in values.items()
        if isinstance(value, str)
        or (isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63)
        or (isinstance(value, float) and get_number(value) is not None)
    }


@dataclasses.dataclass
class _Reader:
    source: Source
    content: dict[str, typing.Any]

    def __post_init__(self) -> None:
        self.problems: list[Problem] = []
        self.tally = Tally()
        self.models: dict[str, dict[str, typing.Any]] = {}
        self.without_facts: set[str] = set()
        self.lacking: list[str] = []
        meta = self.source.about
        try:
            self.time = get_time(typing.cast(float, meta["generated"]) / 1000)
        except (KeyError, TypeError, BadInput):
            self.time = 0.0

    def read(self, path: Path) -> list[tuple[int, dict[str, object]]]:
        """The reports, each with the number of its row (from 1)."""
        self._read_models(path)
        kept: dict[tuple[str, str], int] = {}
        rows: dict[tuple[str, str], dict[str, typing.Any]] = {}
        again: set[tuple[str, str]] = set()
        for number, row in enumerate(self.content["results"], start=1):
            try:
                key = _check(row)
            except BadInput as err:
                self.problems.append(Problem(path, f"{path}: result {number}: {err}"))
                continue
            if key not in kept:
                kept[key], rows[key] = number, row
                continue
            same = rows[key] == row
            again |= set() if same else {key}
            word = "the same again" if same else "with other numbers, which are left out"
            self.problems.append(
                Problem(path, f"{path}: result {number}: it stands in {kept[key]}, too, {word}.")
            )
        self._find_lacking(set(rows))
        return [(kept[key], self._build(key, row, key in again)) for key, row in rows.items()]

    def _read_models(self, path: Path) -> None:
        listed = self.content.get("models")
        for number, model in enumerate(listed if isinstance(listed, list) else [], start=1):
            ckpt = model.get("ckpt") if isinstance(model, dict) else None
            if not isinstance(ckpt, str) or not ckpt:
                reason = f"{path}: model {number} has no name 'ckpt'."
                self.problems.append(Problem(path, reason))
            elif self.models.setdefault(ckpt, model) != model:
                reason = f"{path}: model {number} is described before, otherwise: {ckpt}."
                self.problems.append(Problem(path, reason))

    def _find_lacking(self, cells: set[tuple[str, str]]) -> None:
        tasks = dict.fromkeys(task for task, _ in cells)
        models = dict.fromkeys([*self.models, *sorted(model for _, model in cells)])
        self.lacking = [
            f"{task} of {model}"
            for task in sorted(tasks)
            for model in models
            if (task, model) not in cells
        ]

    def _build(
        self, key: tuple[str, str], row: dict[str, typing.Any], is_repeated: bool
    ) -> dict[str, object]:
        ckpt, task = row["model"], map_task(row["task"])
        score = typing.cast(float, get_number(row["mean"]))
        low, high = get_number(row.get("ci_low")), get_number(row.get("ci_high"))
        ci, doubts = judge(task.name, score, low, high)
        doubts |= describe(REPEATED) if is_repeated else {}
        org = self.tally.add(task, "", ckpt, doubts)
        if ckpt not in self.models:
            self.without_facts.add(ckpt)
        facts = _describe_model(self.models.get(ckpt, {}), ckpt)
        published = {
            "model": facts,
            "task": row["task"],
            "score": score,
            "ci_low": low,
            "ci_high": high,
            "bootstrap_mean": get_number(row.get("bootstrap_mean")),
            "doubts": doubts,
            "recomputable": False,
        }
        report, _ = build(
            self.source,
            task,
            (org, ckpt),
            published=published,
            # Not the file's digest: blanks and other rows make no other result.
            run=make_id(self.time, [row["task"], score, low, high, facts]),
            posix_time=self.time,
            metric=task.metric,
            commit=str(self.source.about.get("git_commit", "unknown")),
        )
        unknown = {"group_ci": None, "n": None, "n_groups": None, "has_predictions": False}
        warnings = [BARE, *doubts.values()]
        return report | unknown | {"score": score, "ci": ci, "warnings": warnings}

    def notes(self) -> list[str]:
        """What is to be said of the whole file."""
        found = self.tally.notes()
        if self.lacking:
            found.append(
                f"Cells without a result there ({len(self.lacking):,}): {name_some(self.lacking)}."
            )
        if self.without_facts:
            named = name_some(sorted(self.without_facts))
            n = len(self.without_facts)
            found.append(f"Models that the file does not describe ({n:,}): {named}.")
        if not self.time:
            found.append("The file does not say when it was made; its runs are dated 1970.")
        return found


def _check(row: object) -> tuple[str, str]:
    """(task, model) of a result; BadInput says what is wrong with it."""
    if not isinstance(row, dict):
        raise BadInput("it is no object.")
    for name in ("task", "model"):
        if not isinstance(row.get(name), str) or not row[name].strip():
            raise BadInput(f"its {name} is {_show(row.get(name))}, not a name.")
    score = get_number(row.get("mean"))
    if score is None or not 0 <= score <= 1:
        raise BadInput(f"its mean is {_show(row.get('mean'))}, not a number from 0 to 1.")
    return map_task(row["task"]).name, row["model"]


def _show(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:39]}…"


def _describe_model(model: dict[str, typing.Any], ckpt: str) -> dict[str, object]:
    """What the file says of a model, for pages that choose by it."""
    wanted = ("display", "family", "resolution", "params")
    facts = _keep_plain({name: model[name] for name in wanted if name in model})
    released = to_date(model.get("release_ms"))
    said: dict[str, object] = {"ckpt": ckpt, **facts}
    return said | ({"released": released} if released else {})
