"""The command that makes a run again.

    command = reproduce_command(read_report(run), results="again")
    config = reproduce_config(read_report(run))      # the file that the command names, if any

Where the run's settings have no flags (tasks of the user's own, a task's own options), the command
reads a config file, whose text is `reproduce_config`.
"""

import json
import typing
from pathlib import PurePath

import msgspec

from biobench.errors import BadInput
from biobench.results.validation import Name, Object

__all__ = ["CONFIG", "list_code", "reproduce_command", "reproduce_config"]

CONFIG = "reproduce.toml"
"""name under which the command expects the config file."""

_VALUE_FLAGS = ("n_train_unit", "probe", "folds", "batch_size", "n_workers", "precision")
_TEXT_ARGS = ("datadir", "features", "n_train_unit", "probe", "folds", "precision")
_SWITCHES = ("exif", "compile", "debug")
_HANDLED = ("datadir", "n_train", "seed", "features", "resume", "device")


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
    args = dict(config["args"])
    top = {"models": [config["model"]], "device": config.get("device", "auto")}
    if config.get("imports"):
        top["imports"] = config["imports"]
    if args.pop("debug", False):
        top["debug"] = True
    table = {"kind": config["kind"], "n_train": args.pop("n_train", -1)}
    table["seeds"] = args.pop("seed", 42)
    features = args.pop("features", "")
    table |= {key: value for key, value in args.items() if key not in _HANDLED or key == "datadir"}
    lines = [_write_toml(top), f"[tasks.{_quote(config['task'])}]", _write_toml(table)]
    if features:
        name = str(config["model"]).partition(":")[2]
        lines += ["[features]", _write_toml({name: features})]
    return "\n".join(lines)


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
    args = dict(config["args"])
    if args.get("title") == config["task"]:
        del args["title"]
    known = {*_VALUE_FLAGS, *_SWITCHES, *_HANDLED}
    datadir = PurePath(str(args.get("datadir", "")))
    texts = [config["task"], config["model"], str(config.get("device", "auto"))]
    texts += [*config.get("imports", ()), *(str(args.get(name, "")) for name in _TEXT_ARGS)]
    if any(text.startswith("-") for text in texts):
        return False  # on the command line it would be an option
    return (
        config["kind"] == config["task"] == datadir.name
        and not args.keys() - known
        and all(type(args.get(name, False)) is bool for name in _SWITCHES)
    )


def _make_flags(config: dict) -> list[str]:
    args = config["args"]
    words = ["--tasks", config["task"], "--models", config["model"]]
    words += ["--data", str(PurePath(args["datadir"]).parent)]
    words += ["--device", str(config.get("device", "auto"))]
    words += ["--n-train", str(args.get("n_train", -1)), "--seeds", str(args.get("seed", 42))]
    if config.get("imports"):
        words += ["--imports", *config["imports"]]
    if args.get("features"):
        name = str(config["model"]).partition(":")[2]
        words += ["--features", str(args["features"]), "--name", name]
    for name in _VALUE_FLAGS:
        if name in args and args[name] != "":
            words += [f"--{name.replace('_', '-')}", str(args[name])]
    return words + [f"--{name}" for name in _SWITCHES if args.get(name)]


def _write_toml(table: dict[str, object]) -> str:
    return "".join(f"{_quote(key)} = {_quote(value)}\n" for key, value in table.items())


def _quote(value: object) -> str:
    # TOML writes texts, numbers, truth values and lists of them as JSON does, but for DEL.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
