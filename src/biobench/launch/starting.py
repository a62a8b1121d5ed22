"""The first config file for somebody's own pictures, with what was found in them as comments.

    found = look(Path("pictures"), {"split_by": "camera"})     # found.line, found.notes; BadInput
    text = write_config(found, folder=Path.cwd(), out="biobench.toml")

Each line of it that is commented out is a setting that the pictures allow.
"""

import collections
import dataclasses
import os
import pathlib
import re
from collections.abc import Iterator, Mapping, Sequence

from biobench import clean, registry
from biobench.data import Manifest, split_by
from biobench.errors import BadInput
from biobench.launch.config import quote

__all__ = ["KIND", "Found", "look", "write_config"]

KIND = "folder"
MODELS = (
    (
        "open-clip:ViT-B-16/openai",
        "a large network trained on captions; its weights are downloaded once",
    ),
    ("timm:tf_efficientnet_lite0", "a small network trained on ImageNet"),
    ("baseline:random-vit", "a floor: a network that was never trained"),
)
RARE = 5
"""training pictures under which a class is called rare, as `biobench check` does."""
FEW = 1000
"""pictures under which folds are worth a word."""
SHOWN = 12
RANKS = ("genus", "family", "order")


@dataclasses.dataclass(frozen=True)
class Found:
    """What the task folder makes of somebody's pictures."""

    pictures: pathlib.Path
    given: dict[str, object]
    """settings that it was told."""
    manifest: Manifest

    @property
    def line(self) -> str:
        return self.manifest.describe()

    @property
    def notes(self) -> tuple[str, ...]:
        return self.manifest.notes


def look(pictures: pathlib.Path, given: Mapping[str, object]) -> Found:
    """What a run would use of `pictures` (a folder, a table or an export); raises BadInput.

    given: settings of the task folder by name.
    """
    task = registry.load_task(KIND)
    values = {k: tuple(v) if isinstance(v, list) else v for k, v in given.items()}
    args = task.Args(datadir=str(pictures.absolute()), **values)
    return Found(pictures, dict(given), task.load(args))


def write_config(found: Found, folder: pathlib.Path, out: str) -> str:
    """The text of a config file that lies in `folder` and is called `out`."""
    run = clean.shell(["biobench", "run", out])
    lines = [f"# What biobench init found in {clean.line(str(found.pictures))}:"]
    lines += [f"#   {line}" for line in _describe(found)]
    lines += [
        "#",
        f"# {run} --dry-run says what a run would do, {run} does it;",
        "# biobench leaderboard then shows the scores. All settings: docs/config.md.",
        "",
        "models = [",
        *(f"    {quote(name) + ',':<33} # {text}" for name, text in MODELS),
        "]  # biobench models lists what there is",
        'results = "results"',
        "",
        "# Settings for every task, as they are without the mark in front:",
        *(f"# {line}" for line in _list_common()),
        "",
        f"[tasks.{_name(found.pictures)}]",
        f"kind = {quote(KIND)}",
        f"datadir = {quote(_relate(found.pictures, folder))}",
        *(f"{key} = {quote(_relate_value(key, v, folder))}" for key, v in found.given.items()),
        "",
        "# What these pictures allow besides:",
        *(f"# {setting:<34} # {text}" for setting, text in _list_settings(found)),
    ]
    return "\n".join(lines) + "\n"


def _describe(found: Found) -> Iterator[str]:
    table = found.manifest.table
    yield clean.sentence(found.line)
    splits = collections.Counter(table["split"].to_list())
    yield ", ".join(f"{split} {n:,}" for split, n in sorted(splits.items(), reverse=True))
    counts = collections.Counter(table["label"].to_list()).most_common()
    shown = ", ".join(f"{clean.line(label)} {n:,}" for label, n in counts[:SHOWN])
    yield f"classes: {shown}{', …' * (len(counts) > SHOWN)}"
    trained = collections.Counter(found.manifest.split("train")["label"].to_list())
    rare = [label for label, _ in counts if trained and trained[label] < RARE]
    if rare:
        names = ", ".join(map(clean.line, rare[:3])) + ", …" * (len(rare) > 3)
        yield f"fewer than {RARE} pictures to train on: {len(rare):,} of the classes ({names})"
    for note in found.notes:
        yield f"note: {clean.sentence(note)}"


def _list_common() -> Sequence[str]:
    return (
        "n_train = [1, 10, 100, -1]  # training pictures a class: how many labels are enough?",
        "seeds = [42, 43, 44]        # of every random choice",
        'probe = "linear"            # docs/probes.md; usual here: ridge',
        "jobs = 2                    # cells that run at once",
    )


def _list_settings(found: Found) -> Iterator[tuple[str, str]]:
    table, given = found.manifest.table, found.given
    if "columns" not in given:
        for rank in RANKS:
            if rank in table.columns and (n := table[rank].drop_nulls().n_unique()) > 1:
                yield f"columns = [{quote(f'label={rank}')}]", f"{n:,} classes"
    if "split_by" not in given:
        for what in split_by.KINDS:
            try:
                kept = split_by.keep_together(table, what, source=str(found.pictures))
            except BadInput:
                continue
            n = kept.values.drop_nulls().n_unique()
            text = f"no {kept.one} on both sides; there are {n:,}"
            yield f"split_by = {quote(what)}", text
    if "folds_test" not in given:
        few = ", as so few are" if table.height < FEW else ""
        yield "folds_test = 5", f"test every picture once, in five parts{few}"
    yield 'metric = "accuracy"', "usual: macro-f1, in which each class counts alike"


def _name(pictures: pathlib.Path) -> str:
    """A name for the task: that of the folder or file, as TOML has it without quotes."""
    path = pictures.absolute()
    name = re.sub(r"[^A-Za-z0-9_-]+", "-", path.stem if path.is_file() else path.name).strip("-")
    name = name.lower() or "pictures"
    return f"{name}-pictures" if name in registry.list_tasks() else name


def _relate(path: pathlib.Path, folder: pathlib.Path) -> str:
    """A path as a config file in `folder` names it: relative where it lies below."""
    full, here = os.path.abspath(path), os.path.abspath(folder)
    return os.path.relpath(full, here) if pathlib.Path(full).is_relative_to(here) else full


def _relate_value(key: str, value: object, folder: pathlib.Path) -> object:
    is_path = key in ("root", "boxes")
    return _relate(pathlib.Path(str(value)), folder) if is_path else value
