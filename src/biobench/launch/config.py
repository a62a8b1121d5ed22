"""What to run, from a TOML file and flags: models x tasks x training sizes x seeds.

    settings = load(Path("suite.toml"), jobs=2)     # keywords are flags; they override the file
    plan = biobench.launch.make_plan(settings)

Every key that the file may hold is a field of `Settings`, of `SlurmSettings`, of a task's `Args`,
or one of `TASK_KEYS`; docs/config.md lists them. Anything else is refused with the closest key
that exists. Paths in a file are relative to that file.
"""

import dataclasses
import os
import tomllib
import types
import typing
from pathlib import Path

from biobench.errors import BadInput, find_close

__all__ = ["Settings", "SlurmSettings", "check_table", "get_fields", "load"]

TASK_KEYS = {"kind": str, "n_train": int | list[int], "seeds": int | list[int]}
"""keys of a task's table besides the fields of its `Args`."""

PATH_KEYS = ("datadir", "root")
"""keys of a task's table that are paths."""

LAUNCHER_ARGS = ("seed", "device", "debug", "resume", "features", "n_train")
"""fields of `Args` that are set through `Settings`, never directly."""


@dataclasses.dataclass(frozen=True)
class SlurmSettings:
    """The table `[slurm]`; what is left empty is the cluster's default."""

    partition: str = ""
    account: str = ""
    qos: str = ""
    gpus: int = 0
    """GPUs of a job."""
    cpus: int = 1
    """CPU cores of a job."""
    memory: float = 0
    """GiB of a job; 0 is the cluster's default."""
    time: int = 60
    """minutes of a job; one that needs more goes on in a further job, `restarts` times."""
    array_width: int = 64
    """jobs of one array that may run at once."""
    images_per_job: int = 50_000
    """a cell with more pictures is embedded by several jobs before its probe is fitted."""
    restarts: int = 3
    """how often a job that ran out of time may go on."""
    setup: list[str] = dataclasses.field(default_factory=list)
    """shell lines before Python starts, as `module load cuda`."""
    options: dict[str, str] = dataclasses.field(default_factory=dict)
    """further options of sbatch, as `{constraint = "a100"}`."""
    probe: dict[str, object] = dataclasses.field(default_factory=dict)
    """the table `[slurm.probe]`: keys above that differ for the jobs that fit probes after a cell
    was embedded by several."""


@dataclasses.dataclass(frozen=True)
class Settings:
    """A config file, flags laid over it."""

    models: list[str] = dataclasses.field(default_factory=list)
    """models as ORG:CKPT."""
    tasks: list[str] | dict[str, dict[str, object]] = dataclasses.field(default_factory=list)
    """names, or one table a task: `[tasks.birds]`."""
    data: str = ""
    """folder with one folder a task."""
    results: str = "results"
    device: str = "auto"
    """auto, cpu, cuda (all of them) or cuda:N."""
    n_train: int | list[int] = -1
    """training examples; several make the grid larger; -1 is all."""
    seeds: int | list[int] = 42
    jobs: int = 1
    """cells that run at once, each in a process of its own."""
    resume: bool = True
    """skip cells that are finished and reuse features that were embedded; false starts anew."""
    debug: bool = False
    """a few pictures only, to see that everything runs."""
    imports: list[str] = dataclasses.field(default_factory=list)
    """modules to import first: they register backbones and tasks of your own."""
    features: dict[str, str] = dataclasses.field(default_factory=dict)
    """Parquet files of vectors computed elsewhere: each is the model `features:NAME`."""
    slurm: SlurmSettings = dataclasses.field(default_factory=SlurmSettings)
    args: dict[str, object] = dataclasses.field(default_factory=dict)
    """fields of every task's `Args`; in a file they stand at the top, beside the keys above."""
    source: str = "the command line"
    """where the settings were read from, named in errors."""

    def get_tables(self) -> dict[str, dict[str, object]]:
        """Each task's table, by name; an empty one where only a name was given."""
        if isinstance(self.tasks, dict):
            return self.tasks
        return {name: {} for name in self.tasks}


def load(path: Path | None = None, **flags: object) -> Settings:
    """Read a config file (or none) and lay `flags` over it; a flag that is None was not given.

    `flags` are fields of `Settings`; `tasks` as a list of names picks from the file's tables.
    Raises BadInput naming the file and the key that is wrong.
    """
    from biobench import evaluate

    settings = Settings()
    if path is not None:
        settings = _from_table(_read(path), path, get_fields(evaluate.Args))
    flags = {name: value for name, value in flags.items() if value is not None}
    args = {**settings.args, **typing.cast(dict, flags.pop("args", {}))}
    features = {**settings.features, **typing.cast(dict, flags.pop("features", {}))}
    if "tasks" in flags:
        tables = settings.get_tables()
        flags["tasks"] = {name: tables.get(name, {}) for name in typing.cast(list, flags["tasks"])}
    return dataclasses.replace(settings, **flags, args=args, features=features)


def check_table(
    table: dict[str, object], fields: dict[str, typing.Any], source: str, where: str = ""
) -> None:
    """Raise BadInput for a key of `table` that is not in `fields` or has a value of another type.

    where: the table's name in the file, as "[tasks.birds]"; empty at the top.
    """
    place = f" in {where}" if where else ""
    for key, value in table.items():
        if key not in fields:
            close = find_close(key, fields, cutoff=0.0)
            raise BadInput(
                f"{source}: unknown key '{key}'{place}; the closest key is '{close}' "
                f"(all: {', '.join(sorted(fields))})."
            )
        if not _is_instance(value, fields[key]):
            raise BadInput(
                f"{source}: the key '{key}'{place} is {value!r}, but must be "
                f"{_describe(fields[key])}."
            )


def _read(path: Path) -> dict[str, typing.Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BadInput(
            f"{path}: there is no such config file; write one (docs/config.md), or use flags."
        ) from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as err:
        raise BadInput(f"{path}: not a readable TOML file ({err}).") from None


def _from_table(table: dict[str, typing.Any], path: Path, base: dict[str, typing.Any]) -> Settings:
    source, here = str(path), path.parent
    own = get_fields(Settings)
    del own["args"], own["source"]
    own["slurm"] = dict[str, object]
    common = {name: kind for name, kind in base.items() if name not in LAUNCHER_ARGS}
    del common["datadir"]
    check_table(table, {**common, **own}, source)
    args = {name: value for name, value in table.items() if name in common}
    given = {name: value for name, value in table.items() if name in own}
    for name in {"data", "results"} & given.keys():
        given[name] = _resolve(here, given[name])
    if "features" in given:
        given["features"] = {k: _resolve(here, v) for k, v in given["features"].items()}
    if isinstance(given.get("tasks"), dict):
        given["tasks"] = {
            name: {k: _resolve(here, v) if k in PATH_KEYS else v for k, v in own_table.items()}
            for name, own_table in given["tasks"].items()
        }
    if "slurm" in given:
        given["slurm"] = _make_slurm(given["slurm"], source)
    return Settings(**given, args=args, source=source)


def _make_slurm(table: dict[str, object], source: str) -> SlurmSettings:
    fields = get_fields(SlurmSettings)
    check_table(table, fields, source, "[slurm]")
    probe = typing.cast(dict, table.get("probe", {}))
    del fields["probe"], fields["images_per_job"], fields["restarts"]
    check_table(probe, fields, source, "[slurm.probe]")
    return SlurmSettings(**typing.cast(dict, table))


def _resolve(folder: Path, path: object) -> object:
    return os.path.normpath(folder / os.path.expanduser(path)) if isinstance(path, str) else path


def get_fields(cls: type) -> dict[str, typing.Any]:
    """A dataclass's fields and their annotations, resolved."""
    hints = typing.get_type_hints(cls)
    return {field.name: hints[field.name] for field in dataclasses.fields(cls)}


def _is_instance(value: object, kind: typing.Any) -> bool:
    """Whether a TOML value fits a field's annotation."""
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        return any(_is_instance(value, arg) for arg in args)
    if origin is typing.Literal:
        return any(type(value) is type(arg) and value == arg for arg in args)
    if origin in (list, tuple):
        return isinstance(value, list) and all(_is_instance(item, args[0]) for item in value)
    if origin is dict:
        return isinstance(value, dict) and all(_is_instance(v, args[1]) for v in value.values())
    if kind is float:
        return type(value) in (int, float)
    if kind in (object, typing.Any):
        return True
    return type(value) is kind


def _describe(kind: typing.Any) -> str:
    """A field's annotation in words."""
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    names = {int: "an integer", float: "a number", str: "a text", bool: "true or false"}
    plurals = {int: "integers", float: "numbers", str: "texts"}
    if origin in (typing.Union, types.UnionType):
        return " or ".join(_describe(arg) for arg in args if arg is not type(None))
    if origin is typing.Literal:
        return " or ".join(repr(arg) for arg in args)
    if origin in (list, tuple):
        return f"a list of {plurals.get(args[0], 'values')}"
    if origin is dict or dataclasses.is_dataclass(kind):
        return "a table"
    return names.get(kind, str(kind))
