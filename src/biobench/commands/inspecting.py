"""`biobench check`: is a task's data what the task expects?"""

import dataclasses
from pathlib import Path
from typing import Annotated, Literal

import tyro

from biobench.args import PictureArgs
from biobench.commands import flags, printing
from biobench.commands.explaining import Imports

__all__ = ["Check"]


@dataclasses.dataclass(frozen=True)
@flags.take(
    PictureArgs,
    after="data",
    only=("root", "columns", "skip_missing", "split_by", "boxes", "box_confidence"),
)
class Check:
    """Look at the data of tasks before anything is run: layout, counts against the published ones,
    labels, leaks between training and test, and whether every picture decodes.

    Exit code 1 where trouble was found. What was found stands in the report of every later run on
    the same data (docs/check.md).
    """

    tasks: tyro.conf.Positional[Annotated[tuple[str, ...], tyro.conf.arg(metavar="TASK…")]]
    """the tasks: their names, as biobench tasks lists them."""
    data: Annotated[Path, tyro.conf.arg(metavar="ROOT")]
    """folder that holds one folder a task; for the task folder also the pictures or the table."""
    fast: bool = False
    """decode a sample of 2,000 pictures, drawn by --seed, in place of all."""
    seed: int = 42
    """what draws the sample, and the frames of a clip: that of the runs to come."""
    format: Literal["table", "json"] = "table"
    """how to print what was found."""
    imports: Imports = ()
    """modules or .py files to import first: they register what is not biobench's own."""

    def main(self) -> int:
        from biobench import clean
        from biobench.checks import outcome
        from biobench.imports import import_modules
        from biobench.screen import say

        import_modules(self.imports)
        found = [self._check(name, args) for name, args in self._list_tasks().items()]
        if self.format == "json":
            say(clean.to_json([outcome.to_dict(*one) for one in found], indent=2))
        else:
            console = printing.make_console()
            for one in found:
                console.print(outcome.render(*one))
        return int(any(checked.troubles for _, _, checked in found))

    def _list_tasks(self):
        """The arguments of each task, before the first is looked at."""
        from biobench import registry
        from biobench.errors import BadInput
        from biobench.launch.plan import find_data

        if not self.tasks:
            raise BadInput("Which task's data? Name one; biobench tasks lists them.")
        if not self.data.exists():
            raise BadInput(f"There is no folder {self.data}; name the one that holds the data.")
        given = flags.read(self, PictureArgs)
        made = {}
        for name in dict.fromkeys(self.tasks):
            kind = registry.load_task(name).Args
            allowed = {field.name for field in dataclasses.fields(kind)}
            taken = {
                key: tuple(value) if isinstance(value, list) else value
                for key, value in given.items()
                if key in allowed
            }
            datadir = find_data(name, name, {}, str(self.data))
            made[name] = kind(datadir=datadir, seed=self.seed, **taken)
        return made

    def _check(self, name: str, args):
        from biobench import checks, registry

        with printing.show_progress("check", f"checking {name} …"):
            checked = checks.check(registry.load_task(name), args, fast=self.fast)
        return name, args, checked
