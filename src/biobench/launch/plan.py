"""The plan: every cell of a run, in the order they are best run in.

    plan = make_plan(settings)      # models x tasks x n_train x seeds
    plan.save()                     # RESULTS/.launch/<plan id>/plan.json, for workers and `status`

A plan's id is a digest of its cells: the same config gives the same plan, however it is run.
"""

import dataclasses
import functools
import hashlib
import json
import os
import re
import sys
import types
import typing
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Annotated

import msgspec

from biobench import clean, registry
from biobench.args import Args, PictureArgs
from biobench.contract import ModelArgs
from biobench.errors import BadInput
from biobench.fields import get_fields, list_options
from biobench.imports import import_modules
from biobench.launch import config
from biobench.launch.states.json_files import read_json, write_json

__all__ = [
    "FEATURES_ORG",
    "FOLDER",
    "Cell",
    "Plan",
    "load_task",
    "make_plan",
]

FOLDER = ".launch"
"""where a results folder keeps its plans."""
FORMAT = 1
FEATURES_ORG = "features"


@dataclasses.dataclass(frozen=True)
class Cell:
    """One model on one task: what is run, retried and scheduled by itself."""

    task: str
    """the user's name of the task; results are kept under it."""
    kind: str
    """the task's name in the registry."""
    model: ModelArgs
    args: dict[str, object]
    """the fields of the task's `Args` that were set, in plain JSON types."""

    @functools.cached_property
    def id(self) -> str:
        """A file name that no other cell has; equal cells have equal ids."""
        text = json.dumps([self.task, self.kind, self.model, self.args], sort_keys=True)
        digest = hashlib.sha256(text.encode()).hexdigest()[:10]
        slug = re.sub(r"[^A-Za-z0-9_.-]+", "-", f"{self.task}.{'-'.join(self.model)}")
        return f"{slug[:80]}.{digest}"

    @property
    def model_name(self) -> str:
        return ":".join(self.model)

    @functools.cached_property
    def variant(self) -> str:
        """What sets a cell apart from others of its model and task; empty for the defaults."""
        parts = []
        if self.args.get("n_train", -1) != -1:
            unit = "total" if self.args.get("n_train_unit") == "total" else "a class"
            parts.append(f"{self.args['n_train']} {unit}")
        if self.args.get("seed", 42) != 42:
            parts.append(f"seed {self.args['seed']}")
        return ", ".join(parts)

    @property
    def label(self) -> str:
        """The cell in one line, for people."""
        preset = self.args.get("protocol", "original")
        name = self.task if preset == "original" else f"{self.task} [{preset}]"
        variant = f" ({self.variant})" if self.variant else ""
        return clean.line(f"{name}{variant} · {self.model_name}")

    @property
    def feature_key(self) -> tuple[object, ...]:
        """Cells with equal keys need the same features of the same pictures."""
        decide = {n: said for n, said in list_options(Args).items() if "features" in said.decides}
        values = [self.args.get(name, said.default) for name, said in decide.items()]
        return (self.model, self.kind, self.args.get("datadir"), *values)

    def make_args(self, **overrides: object) -> typing.Any:
        """The task's `Args`; `overrides` are what the place it runs at decides (device, …)."""
        cls = load_task(self.kind, self.task).Args
        return _construct(cls, {**self.args, **overrides}, f"task '{self.task}'")


@dataclasses.dataclass(frozen=True)
class Plan:
    """Cells in the order they are best run in (one model's tasks together), and how to run them."""

    cells: tuple[Cell, ...]
    results: Path
    device: str = "auto"
    resume: bool = True
    force: bool = False
    """run finished cells again, from the features that are there."""
    imports: tuple[str, ...] = ()
    search: tuple[str, ...] = ()
    """folders where `imports` are found, besides the installed ones."""
    argv: tuple[str, ...] = ()
    """the command that made the plan, kept in each run's provenance."""

    @functools.cached_property
    def id(self) -> str:
        text = json.dumps(sorted(cell.id for cell in self.cells))
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    @property
    def folder(self) -> Path:
        return self.results / FOLDER / self.id

    def get_cell(self, id: str) -> Cell:
        return self._by_id[id]

    @functools.cached_property
    def _by_id(self) -> dict[str, Cell]:
        return {cell.id: cell for cell in self.cells}

    def save(self) -> Path:
        """Write plan.json, whole or not at all; returns the plan's folder.

        Raises BadInput where the results folder cannot be written.
        """
        dct = {"format": FORMAT, "id": self.id, **dataclasses.asdict(self)}
        dct["results"] = str(self.results)
        dct["cells"] = [{"id": cell.id, **dataclasses.asdict(cell)} for cell in self.cells]
        try:
            write_json(self.folder / "plan.json", dct)
        except OSError as err:
            raise BadInput(
                f"{self.results} cannot be written ({err.strerror}); choose another folder with "
                "--results."
            ) from err
        return self.folder

    @classmethod
    def read(cls, folder: Path) -> "Plan":
        """The plan that was saved in `folder`; BadInput if there is none or it is newer than us.

        A results folder may have moved since, so the folder's place decides, not what it says.
        """
        try:
            kept = msgspec.convert(read_json(folder / "plan.json"), _Kept)
        except msgspec.ValidationError as err:
            raise BadInput(
                f"{folder / 'plan.json'} is missing, damaged or of another version ({err})."
            ) from err
        cells = tuple(Cell(cell.task, cell.kind, cell.model, cell.args) for cell in kept.cells)
        names = ("imports", "search", "argv", "device", "resume", "force")
        fields = {name: getattr(kept, name) for name in names}
        return cls(cells=cells, results=folder.parent.parent, **fields)


class _KeptCell(msgspec.Struct):
    id: str
    task: str
    kind: str
    model: tuple[str, str]
    args: dict[str, typing.Any]


class _Kept(msgspec.Struct):
    """What plan.json holds."""

    format: Annotated[int, msgspec.Meta(ge=FORMAT, le=FORMAT)]
    cells: list[_KeptCell]
    device: str
    resume: bool
    force: bool
    imports: tuple[str, ...]
    search: tuple[str, ...]
    argv: tuple[str, ...]


def make_plan(settings: config.Settings, *, force: bool = False) -> Plan:
    """Every cell of the grid; raises BadInput for a model, task or key that cannot be."""
    search = tuple(dict.fromkeys((str(Path(settings.source).resolve().parent), str(Path.cwd()))))
    import_modules(settings.imports, search)
    models = [registry.parse_model(name) for name in settings.models]
    models += [(FEATURES_ORG, name) for name in settings.features]
    if not models:
        raise BadInput("No models to run: name some with --models ORG:CKPT, or in a config file.")
    if not settings.get_tables():
        raise BadInput("No tasks to run: name some with --tasks, or in a config file.")
    variants = [
        (name, kind, args)
        for name, table in settings.get_tables().items()
        for kind, args in _expand(name, table, settings)
    ]
    cells = [
        Cell(name, kind, model, {**args, **_get_features(model, settings)})
        for model in dict.fromkeys(models)
        for name, kind, args in variants
    ]
    _check_unicode(cells, settings.results)
    return Plan(
        cells=tuple({cell.id: cell for cell in cells}.values()),
        results=Path(settings.results).absolute(),
        device=settings.device,
        resume=settings.resume,
        force=force,
        imports=tuple(settings.imports),
        search=search,
        argv=tuple(map(clean.line, sys.argv)),
    )


def _check_unicode(cells: Iterable[Cell], results: str) -> None:
    """Raise BadInput for a name that no report can hold, before hours of work."""
    for cell in cells:
        for text in (cell.task, *cell.model, *cell.args.values(), os.path.abspath(results)):
            if isinstance(text, str) and not text.isascii():
                try:
                    text.encode()
                except UnicodeEncodeError:
                    raise BadInput(
                        f"{text} is not UTF-8, and a report could not name it; rename it."
                    ) from None


def _expand(
    name: str, table: dict[str, object], settings: config.Settings
) -> list[tuple[str, dict[str, object]]]:
    """(kind, args) of one task for every n_train and seed."""
    source, where = settings.source, f"[tasks.{name}]"
    kind = table.get("kind", name)
    if not isinstance(kind, str):
        raise BadInput(f"{source}: the key 'kind' in {where} is {kind!r}, but must be a text.")
    allowed = config.list_keys(load_task(kind, name, in_config="kind" in table).Args)
    config.check_table(table, {**allowed, **get_fields(config.TaskTable)}, source, where)
    args = {key: value for key, value in settings.args.items() if key in allowed}
    _check_refused(name, settings.args.keys() - allowed.keys())
    args.update((key, value) for key, value in table.items() if key in allowed)
    args["datadir"] = find_data(name, kind, args, settings.data)
    if "title" in allowed and name != kind:
        args.setdefault("title", name)
    if settings.debug:
        args["debug"] = True
    pairs = [
        (n_train, seed)
        for n_train in _as_list(table.get("n_train", settings.n_train))
        for seed in _as_list(table.get("seeds", settings.seeds))
    ]
    return [(kind, {**args, "n_train": n_train, "seed": seed}) for n_train, seed in pairs]


def _check_refused(name: str, keys: Collection[str]) -> None:
    """Raise BadInput where one of `keys`, which the task does not have, must not be passed over."""
    for key, said in list_options(PictureArgs).items():
        if key in keys and said.refused:
            raise BadInput(
                f"The task '{name}' has a published test set, so it takes no {key}; give that to "
                "tasks of kind 'folder' only."
            )


def find_data(name: str, kind: str, args: dict[str, object], data: str) -> str:
    """The data folder of a task of this kind, below `data`; raises BadInput where none is named."""
    if args.get("datadir"):
        return os.path.abspath(str(args["datadir"]))
    if not data:
        raise BadInput(
            f"Where is the data of task '{name}'? Give --data ROOT (it looks in ROOT/{name}), or "
            f"set datadir in [tasks.{name}] of a config file."
        )
    folder = os.path.abspath(os.path.join(data, name))
    # People point at their pictures themselves; only a suite has a folder a task.
    if kind == "folder" and not os.path.exists(folder):
        return os.path.abspath(data)
    return folder


def _get_features(model: ModelArgs, settings: config.Settings) -> dict[str, object]:
    if model[0] != FEATURES_ORG:
        return {}
    if model[1] not in settings.features:
        raise BadInput(
            f"features:{model[1]} needs the file with its vectors; give --features FILE.parquet "
            f"--name {model[1]}, or [features] in a config file."
        )
    return {"features": os.path.abspath(settings.features[model[1]])}


def load_task(kind: str, name: str, *, in_config: bool = False) -> types.ModuleType:
    """The module of a task of the plan; raises BadInput that says how to add one."""
    try:
        return registry.load_task(kind)
    except ValueError as err:
        hint = (
            f" For pictures of your own write [tasks.{name}] with kind = 'folder' in a config file."
        )
        raise BadInput(f"{err}{'' if in_config else hint}") from err


def _construct(cls: type, args: dict[str, object], what: str) -> typing.Any:
    fields = get_fields(cls)
    args = {
        key: tuple(value) if isinstance(value, list) and "tuple" in str(fields[key]) else value
        for key, value in args.items()
        if key in fields
    }
    try:
        return cls(**args)
    except ValueError as err:
        raise BadInput(f"{what}: {err}") from err


def _as_list(value: object) -> list[object]:
    return value if isinstance(value, list) else [value]
