"""`biobench models`: what there is; `biobench doctor`: whether one of them can be trusted."""

import dataclasses
import typing
from typing import Annotated, Literal

import tyro

from biobench.args import CHOICES, Embedding, choose
from biobench.commands import flags
from biobench.commands.explaining import Imports
from biobench.imports import import_modules

__all__ = ["Doctor", "Models"]

_MARKS = {
    "pass": ("pass", "green"),
    "fail": ("FAIL", "bold red"),
    "warn": ("warn", "yellow"),
    "info": ("info", "dim"),
}
"""what stands for a check's status, and in which style."""


@dataclasses.dataclass(frozen=True)
class Models:
    """The checkpoints that the field uses: what they cost, and which tasks they have seen.

    A model is written ORG:CKPT. Of the adapters (--adapters) any other checkpoint runs as well;
    more come with your own code.
    """

    names: tyro.conf.Positional[Annotated[tuple[str, ...], tyro.conf.arg(metavar="ORG:CKPT…")]] = ()
    """these only (patterns like timm:* may be used)."""
    family: str = ""
    """those of one family, as DINOv2."""
    max_params: Annotated[str, tyro.conf.arg(metavar="N")] = ""
    """those of at most so many parameters, as 100M."""
    seen: Annotated[str, tyro.conf.arg(metavar="TASK")] = ""
    """those whose pretraining is known to hold pictures of this task (or data set, or source of
    pictures, as treeoflife-10m or inaturalist)."""
    adapters: bool = False
    """list the adapters instead, and what each of them loads."""
    explain: bool = False
    """say all that is known of each, with its sources."""
    format: Literal["table", "json", "csv"] = "table"
    """how to print them."""
    imports: Imports = ()
    """modules or .py files to import first: they register what is not biobench's own."""

    def main(self) -> int:
        from biobench import catalog, clean, registry
        from biobench.commands.cataloguing import explain_checkpoints, list_checkpoints, tabulate
        from biobench.errors import BadInput
        from biobench.screen import say

        import_modules(self.imports)
        if self.adapters:
            if self.format == "csv":
                raise BadInput("--adapters are printed as table or json.")
            _print_adapters(self.format)
            return 0
        found = catalog.choose(
            self.names,
            family=self.family,
            max_params=catalog.parse_count(self.max_params) if self.max_params else None,
            seen=self.seen,
        )
        if self.format == "json":
            say(clean.to_json([one.to_dict() for one in found], indent=2))
        elif self.format == "csv":
            say(tabulate(found))
        elif self.explain:
            say("\n".join(explain_checkpoints(found)).rstrip("\n"))
        else:
            say("\n".join(list_checkpoints(found, registry.list_vision_backbones())))
        return 0


@dataclasses.dataclass(frozen=True)
@flags.take(Embedding, after="device", only=CHOICES, only_given=False)
class Doctor:
    """Is this backbone what a benchmark needs? Loads it, tries it, and says what to do.

    Exit code 1 where a check failed.
    """

    model: tyro.conf.Positional[Annotated[str, tyro.conf.arg(metavar="ORG:CKPT")]]
    """the backbone as ORG:CKPT."""
    device: str = "auto"
    """auto, cpu, cuda or cuda:N."""
    format: Literal["table", "json"] = "table"
    """how to print the checks."""
    imports: Imports = ()
    """modules or .py files to import first: they register what is not biobench's own."""

    def main(self) -> int:
        from biobench import clean, registry
        from biobench.errors import BadInput
        from biobench.features import resolve_device
        from biobench.features.doctor import Check, examine
        from biobench.screen import say

        import_modules(self.imports)
        org, ckpt = registry.parse_model(self.model)
        cls = registry.load_vision_backbone_class(org)
        choices = choose(flags.read(self, Embedding))
        registry.check_choices((org, ckpt), choices)
        device = resolve_device(self.device)
        try:
            backbone = cls(ckpt, **choices)
        except BadInput:
            raise
        except Exception as err:  # an author's code may raise anything
            advice = "A backbone must be made by its class and the checkpoint's name alone."
            checks = [Check("loading", "fail", f"{type(err).__name__}: {err}", advice)]
        else:
            checks = examine(backbone, (org, ckpt), device=device)
        if self.format == "json":
            say(clean.to_json([dataclasses.asdict(check) for check in checks], indent=2))
        else:
            _print_checks(self.model, checks)
        return int(any(check.status == "fail" for check in checks))


def _print_adapters(format: str) -> None:
    from biobench import clean, registry
    from biobench.screen import say

    rows = [_describe(org) for org in registry.list_vision_backbones()]
    if format == "json":
        say(clean.to_json(rows, indent=2))
        return
    width = max(len(clean.line(row["org"])) for row in rows) + 2
    for row in rows:
        examples = ", ".join(f"{row['org']}:{ckpt}" for ckpt in row["examples"])
        shown = row["description"] + f" ({examples})" * bool(examples)
        say(f"{clean.line(row['org']):<{width}}{clean.sentence(shown)}")


def _describe(org: str) -> dict[str, typing.Any]:
    from biobench import registry
    from biobench.errors import BadInput
    from biobench.pooling_table import list_rows

    try:
        cls = registry.load_vision_backbone_class(org)
    except BadInput as err:  # of another package's code; the rest still count
        return {"org": org, "description": str(err), "examples": [], "class": None}
    doc = (cls.__dict__.get("__doc__") or cls.__name__).strip().splitlines()[0]
    return {
        "org": org,
        "description": cls.description or doc,
        "examples": list(cls.example_ckpts),
        "class": f"{cls.__module__}.{cls.__qualname__}",
        "pooling": [
            {"checkpoints": list(row.match), "vector": row.describe(), "source": row.source}
            for row in list_rows()
            if row.adapter == org
        ],
    }


def _print_checks(model: str, checks: list) -> None:
    from rich.table import Table
    from rich.text import Text

    from biobench import clean
    from biobench.console import CleanConsole

    console = CleanConsole()
    title = Text(f"biobench doctor {clean.line(model)}")
    table = Table(title=title, box=None, pad_edge=False)
    table.add_column("check", no_wrap=True)
    table.add_column("")
    table.add_column("found", overflow="fold")
    for check in checks:
        table.add_row(clean.line(check.name), Text(*_MARKS[check.status]), clean.lines(check.value))
    console.print(table)
    for check in checks:
        if check.advice:
            text = f" {clean.line(check.name)}: {clean.lines(check.advice)}"
            console.print(Text.assemble(_MARKS[check.status], text))
    n_failed = sum(check.status == "fail" for check in checks)
    console.print(f"{n_failed} failed" if n_failed else "Fit for benchmarking.")
