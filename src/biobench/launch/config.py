"""What to run, from a TOML file and flags: models x tasks x training sizes x seeds.

    settings = load(Path("suite.toml"), jobs=2)     # keywords are flags; they override the file
    plan = biobench.launch.make_plan(settings)

Every key that the file may hold is a field of `Settings`, of `SlurmSettings`, of `TaskTable` or of
a task's `Args`; the tables of docs/config.md are made from these. Anything else is refused with the
closest key that exists. Paths in a file are relative to that file.
"""

import dataclasses
import json
import os
import tomllib
import typing
from pathlib import Path

from biobench.args import Args, PictureArgs
from biobench.errors import BadInput, find_close
from biobench.fields import describe_type, fits, get_fields, list_flags, list_options, option

__all__ = ["Settings", "SlurmSettings", "TaskTable", "check_table", "list_keys", "load", "quote"]


@dataclasses.dataclass(frozen=True)
class SlurmSettings:
    """The table `[slurm]`; what is left empty is the cluster's default."""

    partition: str = ""
    """where the jobs go."""
    account: str = ""
    """who is charged for them."""
    qos: str = ""
    """their quality of service."""
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
class TaskTable:
    """A table `[tasks.NAME]`, besides the fields of the task's `Args`."""

    kind: str = option("", usual="NAME")
    """the task that NAME is one of."""
    n_train: int | list[int] = option(-1, usual="that at the top")
    """instead of that at the top."""
    seeds: int | list[int] = option(42, usual="those at the top")
    """instead of those at the top."""


@dataclasses.dataclass(frozen=True)
class Settings:
    """A config file, flags laid over it. What is an option is a flag of `biobench run`, too."""

    tasks: list[str] | dict[str, dict[str, object]] = option(
        factory=list, metavar="NAME…", known="tasks"
    )
    """tasks to run; of a config file with tables `[tasks.NAME]`, flags pick some."""
    models: list[str] = option(factory=list, metavar="ORG:CKPT…")
    """models as `ORG:CKPT`; `biobench models` lists many."""
    data: str = option("", metavar="DIR", path=True)
    """folder with one folder a task; for the task folder also the pictures themselves."""
    results: str = option("results", metavar="DIR", path=True)
    """where results are kept."""
    device: str = option("auto", metavar="NAME")
    """`auto`, `cpu`, `cuda` (all GPUs are dealt out among the jobs) or `cuda:N`."""
    n_train: int | list[int] = option(-1, metavar="N…")
    """training examples; several make the grid larger; -1 is all."""
    seeds: int | list[int] = option(42, metavar="N…")
    """seeds of every random choice; several make the grid larger."""
    jobs: int = option(1)
    """cells that run at once, each in a process of its own."""
    resume: bool = option(True)
    """skip cells that are finished and use features that were embedded; --no-resume (in a file
    false) runs and embeds anew."""
    debug: bool = option(False)
    """a few pictures only, to see that everything runs."""
    imports: list[str] = option(factory=list, metavar="MODULE…")
    """modules or .py files to import first: they register what is not biobench's own."""
    features: dict[str, str] = option(factory=dict, metavar="FILE", path=True)
    """vectors computed elsewhere, in a Parquet file: run as the model `features:NAME`."""
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
    settings = Settings()
    if path is not None:
        settings = _from_table(_read(path), path)
    flags = {name: value for name, value in flags.items() if value is not None}
    args = {**settings.args, **typing.cast(dict, flags.pop("args", {}))}
    features = {**settings.features, **typing.cast(dict, flags.pop("features", {}))}
    if "tasks" in flags:
        tables = settings.get_tables()
        flags["tasks"] = {name: tables.get(name, {}) for name in typing.cast(list, flags["tasks"])}
    return dataclasses.replace(settings, **flags, args=args, features=features)


def list_keys(cls: type) -> dict[str, typing.Any]:
    """The fields of a task's `Args` that may be set directly, and their annotations."""
    options = list_options(cls)
    return {
        name: kind
        for name, kind in get_fields(cls).items()
        if name not in options or not options[name].plan
    }


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
        if not fits(value, fields[key]):
            raise BadInput(
                f"{source}: the key '{key}'{place} is {value!r}, but must be "
                f"{describe_type(fields[key])}."
            )


def quote(value: object) -> str:
    """A text, number, truth value or a list of them as TOML writes it."""
    # As JSON does, but for DEL.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def _read(path: Path) -> dict[str, typing.Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise BadInput(
            f"{path}: there is no such config file; write one (docs/config.md), or use flags."
        ) from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as err:
        raise BadInput(f"{path}: not a readable TOML file ({err}).") from None


def _from_table(table: dict[str, typing.Any], path: Path) -> Settings:
    source, here = str(path), path.parent
    own = {name: get_fields(Settings)[name] for name in list_options(Settings)}
    own["slurm"] = dict[str, object]
    common = {name: get_fields(Args)[name] for name in list_flags(Args)}
    check_table(table, {**common, **own}, source)
    args = {name: value for name, value in table.items() if name in common}
    given = {name: value for name, value in table.items() if name in own}
    given = _resolve(given, Settings, here)
    if isinstance(given.get("tasks"), dict):
        given["tasks"] = {
            name: _resolve(own_table, PictureArgs, here)
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


def _resolve(table: dict[str, typing.Any], cls: type, folder: Path) -> dict[str, typing.Any]:
    """The table with the options of `cls` that are paths below `folder`, unless absolute."""

    def resolve(value: object) -> object:
        if isinstance(value, dict):
            return {name: resolve(path) for name, path in value.items()}
        if not isinstance(value, str):
            return value
        return os.path.normpath(folder / os.path.expanduser(value))

    paths = {name for name, said in list_options(cls).items() if said.path}
    return {name: resolve(value) if name in paths else value for name, value in table.items()}
