"""The command that makes a run again, and what comes out different when it is called.

    report = results.read_report(run)
    reproduce_command(report, results="again")      # its words
    reproduce_config(report)                        # the file that the command names, if any
    check(run)                                      # "" where every prediction is equal

The options of the command are those that `biobench run` takes. Where a run's settings have no flags
(tasks of the user's own, a task's own options), the command reads a config file, whose text is
`reproduce_config`.
"""

import os
import subprocess
import sys
import tempfile
import typing
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePath

import msgspec
import polars as pl

from biobench import results
from biobench.args import PictureArgs
from biobench.errors import BadInput, CellFailed
from biobench.fields import Option, fits, get_fields, list_flags, list_options
from biobench.launch.config import Settings, TaskTable, quote
from biobench.results.validation import Name, Object

__all__ = [
    "CONFIG",
    "check",
    "compare",
    "list_code",
    "reproduce_command",
    "reproduce_config",
    "require_trust",
]

CONFIG = "reproduce.toml"
"""name under which the command expects the config file."""

STDERR = 2
"""file descriptor: what the command prints is not our answer."""


class _Config(msgspec.Struct):
    """What a report's `config` holds."""

    task: Name
    kind: Name
    model: Name
    args: Object
    imports: list[str] = []
    search: list[str] = []
    device: str = "auto"


def list_code(report: dict[str, object]) -> list[str]:
    """The modules that the command of `report` imports, and the folders it finds code in."""
    config = _get_config(report)
    return [*config.get("imports", ()), *config.get("search", ())]


def replace_imports(report: dict[str, typing.Any], imports: Sequence[str]) -> dict[str, typing.Any]:
    """The report with other modules to import, found from here, in the place of those that it
    names; as it is where `imports` is empty or it holds no configuration."""
    if not imports or not isinstance(report.get("config"), dict):
        return report
    # The command runs in a folder of its own.
    names = [str(Path(name).absolute()) if name.endswith(".py") else name for name in imports]
    search = [] if all(name.endswith(".py") for name in names) else [str(Path.cwd())]
    return report | {"config": report["config"] | {"imports": names, "search": search}}


def reproduce_command(report: dict[str, object], *, results: str = "results") -> list[str]:
    """The words of the command that runs the cell of `report` again, into the folder `results`.

    Raises BadInput where the report does not hold its configuration.
    """
    config = _get_config(report)
    words = ["biobench", "run"]
    if search := config.get("search"):
        words = ["env", f"PYTHONPATH={':'.join(search)}", *words]
    if _has_flags(config):
        words += _make_flags(config)
    else:
        words.append(CONFIG)
    return [*words, "--results", results, "--force"]


def reproduce_config(report: dict[str, object]) -> str | None:
    """The text of the TOML file that `reproduce_command` names; None where it names none."""
    config = _get_config(report)
    if _has_flags(config):
        return None
    args, planned = dict(config["args"]), _list_planned()
    top = {"models": [config["model"]], "device": config.get("device", "auto")}
    if config.get("imports"):
        top["imports"] = config["imports"]
    table = {"kind": config["kind"]}
    vectors = {}
    for name, said in planned.items():
        value = args.pop(name, said.default)
        if said.plan in get_fields(TaskTable):
            table[said.plan] = value
        elif said.plan == "features":
            vectors = {_get_ckpt(config): value} if value else {}
        elif said.plan not in top and value != said.default:
            top[said.plan] = value
    table |= args
    lines = [_write_toml(top), f"[tasks.{quote(config['task'])}]", _write_toml(table)]
    if vectors:
        lines += ["[features]", _write_toml(vectors)]
    return "\n".join(lines)


def require_trust(run: Path, *, imports: Sequence[str] = ()) -> None:
    """Raise BadInput, naming it, where a run that was not made here brings code to execute.

    imports: modules that the user named to be imported in the place of the run's own.
    """
    report = results.read_report(run)
    code = list_code(report)
    if code and not imports and not results.is_ours(run, report):
        raise BadInput(
            f"{run} was not made in this results folder, or was changed since, and its command "
            f"executes code from: {', '.join(code)}; look at it, and add --trust to run it."
        )


def check(run: Path, *, anew: bool = False, imports: Sequence[str] = ()) -> str:
    """Run a run's command into a folder of its own; returns one sentence on the first difference.

    Every picture is hashed again, whatever is known of it. anew: also embed each again, into a
    cache that is deleted afterwards, instead of taking features from the one that is there.
    imports: modules to import in the place of those that the run names.
    Raises BadInput where the report holds no command, CellFailed where the command fails.
    """
    report = replace_imports(results.read_report(run), imports)
    words = reproduce_command(report)
    words[words.index("biobench") : words.index("biobench") + 1] = [
        *(sys.executable, "-m", "biobench.cli")
    ]
    if words[0] == "env":
        # The command's own PYTHONPATH must not bring another biobench than this one.
        words[1] += f"{os.pathsep}{Path(results.__file__).parents[2]}"
    with tempfile.TemporaryDirectory(prefix="biobench-reproduce-") as folder:
        config = reproduce_config(report)
        if config is not None:
            Path(folder, CONFIG).write_text(config, encoding="utf-8")
        # Not BIOBENCH_CACHE: downloaded weights are there, too.
        caches = {"BIOBENCH_CONTENTS": str(Path(folder, "contents"))}
        if anew:
            caches["BIOBENCH_FEATURES"] = str(Path(folder, "features"))
        environment = {**os.environ, **caches}
        done = subprocess.run(words, cwd=folder, env=environment, stdout=STDERR, check=False)
        if done.returncode == 130:
            raise KeyboardInterrupt
        runs = results.scan(Path(folder, "results")).runs if done.returncode == 0 else None
        if runs is None or len(runs) != 1:
            raise CellFailed(f"The command failed with exit code {done.returncode}; see above.")
        return compare(run, Path(runs["run"][0]))


def compare(run: Path, again: Path) -> str:
    """One sentence on how two runs differ in what they are made from or found; "" if in nothing."""
    old, new = results.read_report(run), results.read_report(again)
    # What earlier versions digested (sizes, not contents) cannot be compared; predictions can.
    comparable = old["provenance"].get("manifest_of") == new["provenance"].get("manifest_of")
    if comparable and old["provenance"]["manifest"] != new["provenance"]["manifest"]:
        return "Not reproduced: the data are not the same any more (other pictures or labels)."
    if old["provenance"]["protocol"] != new["provenance"]["protocol"]:
        return "Not reproduced: the protocol is another one in this version of biobench."
    digests = [dct["provenance"]["backbone"].get("digest") for dct in (old, new)]
    if comparable and digests[0] != digests[1]:
        return f"Not reproduced: the backbone is another one (digest {digests[1]}, {digests[0]})."
    if old["score"] != new["score"]:
        return f"Not reproduced: the score was {old['score']!r} and is {new['score']!r}."
    before, after = results.read_predictions(run), results.read_predictions(again)
    if before.equals(after):
        return ""
    n = _count_differing(before, after)
    return (
        f"Not reproduced: {n:,} of {before.height:,} predictions differ, though the score agrees."
    )


def _get_config(report: dict[str, typing.Any]) -> dict:
    config = report.get("config")
    if not isinstance(config, dict):
        said = " ".join(report.get("argv") or []) or "unknown"
        raise BadInput(
            f"Run {report.get('run')} was not made by biobench run and holds no configuration; the "
            f"command that made it was: {said}."
        )
    missing = [key for key in ("task", "kind", "model", "args") if key not in config]
    if missing:
        raise BadInput(
            f"The configuration of run {report.get('run')} lacks {', '.join(missing)}; it cannot "
            "be run again from its report."
        )
    try:
        msgspec.convert(config, _Config)
    except msgspec.ValidationError as err:
        raise BadInput(
            f"The configuration of run {report.get('run')} is damaged ({err}); it cannot be run "
            "again from its report."
        ) from err
    return config


def _has_flags(config: dict) -> bool:
    """Whether every setting of the cell can be given on the command line."""
    args = config["args"]
    kinds = {name: get_fields(PictureArgs)[name] for name in list_options(PictureArgs)}
    if not all(name in kinds and fits(value, kinds[name]) for name, value in args.items()):
        return False
    texts = [config["task"], config["model"], config.get("device", "auto")]
    texts += [*config.get("imports", ()), *_list_texts(args.values())]
    if any(text.startswith("-") for text in texts):
        return False  # on the command line it would be an option
    return config["kind"] == config["task"] == PurePath(args.get("datadir", "")).name


def _list_texts(values: Iterable[object]) -> Iterator[str]:
    for value in values:
        if isinstance(value, str):
            yield value
        elif isinstance(value, list):
            yield from _list_texts(value)


def _make_flags(config: dict) -> list[str]:
    args, name = config["args"], _get_ckpt(config)
    top = {
        "tasks": [config["task"]],
        "models": [config["model"]],
        "data": str(PurePath(args["datadir"]).parent),
        "imports": list(config.get("imports", ())),
        **{said.plan: args.get(key, said.default) for key, said in _list_planned().items()},
        "device": config.get("device", "auto"),
    }
    words = _to_words(top, list_flags(Settings))
    if top["features"]:
        words += ["--name", name]
    return words + _to_words(args, list_flags(PictureArgs))


def _list_planned() -> dict[str, Option]:
    """The options of a task that the plan sets."""
    return {name: said for name, said in list_options(PictureArgs).items() if said.plan}


def _get_ckpt(config: dict) -> str:
    return str(config["model"]).partition(":")[2]


def _to_words(values: Mapping[str, object], flags: Mapping[str, Option]) -> list[str]:
    """The flags of a command, for those of the values that it has flags for."""
    words = []
    for name, said in flags.items():
        value, flag = values.get(name, ""), name.replace("_", "-")
        if isinstance(value, bool):
            words += [f"--{flag}" if value else f"--no-{flag}"] * (value != said.default)
        elif value not in ("", []):
            words += [f"--{flag}", *map(str, value if isinstance(value, list) else [value])]
    return words


def _count_differing(before: pl.DataFrame, after: pl.DataFrame) -> int:
    if before.columns != after.columns or before.height != after.height:
        return max(before.height, after.height)
    rows = zip(before.iter_rows(), after.iter_rows(), strict=True)
    return sum(a != b for a, b in rows)


def _write_toml(table: dict[str, object]) -> str:
    return "".join(f"{quote(key)} = {quote(value)}\n" for key, value in table.items())
