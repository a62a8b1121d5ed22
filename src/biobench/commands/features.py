"""`biobench embed` and `biobench cache`."""

import contextlib
import dataclasses
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

import tyro

__all__ = ["Cache", "Embed"]

MAX_SHOWN = 20


@dataclasses.dataclass(frozen=True)
class Embed:
    """Write the features of a folder of pictures to one Parquet file (id, path, feature).

    Exit code 1 if some pictures could not be used; they are listed, the others are in the file.
    """

    model: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="ORG:CKPT")]
    """the backbone."""
    images: Path
    """folder of pictures, or a CSV or Parquet file with a column path (and id)."""
    out: Path
    """Parquet file to write."""
    device: str = "auto"
    """auto, cpu, cuda or cuda:N."""
    batch_size: int | Literal["auto"] = 64
    """images in a forward pass on CUDA; auto looks for the fastest."""
    n_workers: int = 4
    """processes that decode pictures; 0 decodes in this one."""
    precision: Literal["auto", "fp32", "fp16", "bf16"] = "auto"
    """arithmetic of the backbone; auto is fp32 on a CPU, fp16 on CUDA."""
    exif: bool = False
    """turn pictures upright as their EXIF tag says; the published protocols do not."""
    compile: bool = False
    """compile the backbone."""
    resume: bool = True
    """--no-resume: embed anew instead of using the cache, without deleting it."""
    imports: list[str] = dataclasses.field(default_factory=list)
    """modules or .py files to import first: they register backbones of your own."""

    def main(self) -> int:
        import os

        from biobench import features, registry
        from biobench.errors import BadInput, CellFailed
        from biobench.features import export
        from biobench.launch.plan import import_modules

        import_modules(self.imports, [os.getcwd()])
        table = export.read_pictures(self.images)
        org, _, ckpt = self.model.partition(":")
        if not ckpt:
            raise BadInput(f"'{self.model}' is not a model: write ORG:CKPT.")
        options = features.EmbedOptions(
            batch_size=self.batch_size,
            n_workers=self.n_workers,
            device=str(features.resolve_device(self.device)),
            resume=self.resume,
            exif=self.exif,
            compile=self.compile,
            precision=self.precision,
        )
        try:
            backbone = registry.load_vision_backbone(org, ckpt)
        except ValueError as err:
            raise BadInput(str(err)) from err
        source = features.BackboneSource(backbone, options, name=self.model)
        try:
            with _show_progress():
                found = source(table.root, table.images)
        except CellFailed as err:
            print(f"biobench: {err}", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            print("biobench: stopped; the same command goes on from here.", file=sys.stderr)
            return 130
        n_rows = export.write_vectors(table, found, self.out)
        counts = found.counts
        print(
            f"{self.out}: {n_rows:,} rows of {found.dim} numbers ({counts['embedded']:,} pictures "
            f"embedded, {counts['known'] + counts['recognised']:,} known, {counts['failed']:,} "
            "failed)"
        )
        for warning in found.warnings:
            print(f"warning: {warning}", file=sys.stderr)
        _print_failures(found.failures)
        return 1 if found.failures else 0


@dataclasses.dataclass(frozen=True)
class Cache:
    """Show, verify or prune the feature cache.

    ls: what is there, by model, size and age. verify: read every byte (exit code 1 if something
    is damaged). prune: delete what --older-than and --model say; with neither, only what nothing
    will ever read again.
    """

    action: tyro.conf.Positional[Literal["ls", "verify", "prune"]]
    """what to do."""
    older_than: float | None = None
    """prune: days since a model's features were last used."""
    model: Annotated[str | None, tyro.conf.arg(metavar="ORG:CKPT")] = None
    """ls, prune: only this ORG:CKPT, or a key as ls prints it."""
    dry_run: bool = False
    """prune: only say what would be deleted."""
    format: Literal["table", "json"] = "table"
    """ls: how to print."""

    def main(self) -> int:
        from biobench import features

        root = features.cache_root()
        return {"ls": self._ls, "verify": self._verify, "prune": self._prune}[self.action](root)

    def _ls(self, root: Path) -> int:
        from biobench.features import inventory

        entries = inventory.list_entries(root)
        if self.model is not None:
            entries = [entry for entry in entries if entry.matches(self.model)]
        if self.format == "json":
            print(json.dumps([dataclasses.asdict(entry) for entry in entries], indent=2))
            return 0
        rows = [_describe_entry(entry) for entry in entries]
        header = ("key", "images", "dim", "size", "used", "models")
        widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]
        for row in [header, *rows]:
            print("  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)))
        n_bytes = sum(entry.n_bytes for entry in entries)
        print(f"{len(entries)} models, {_format_bytes(n_bytes)} in {root}")
        return 0

    def _verify(self, root: Path) -> int:
        from biobench.features import inventory

        problems = inventory.verify(root)
        for problem in problems:
            print(problem)
        if problems:
            print(f"{len(problems)} damaged files; 'biobench cache prune' deletes those put aside.")
            return 1
        print(f"{root}: every shard is intact")
        return 0

    def _prune(self, root: Path) -> int:
        from biobench.features import inventory

        seconds = None if self.older_than is None else self.older_than * 86400
        deleted, n_bytes = inventory.prune(
            root, older_than=seconds, model=self.model, dry_run=self.dry_run
        )
        for entry in deleted:
            print("  ".join(_describe_entry(entry)))
        verb = "would be freed" if self.dry_run else "freed"
        print(f"{len(deleted)} models deleted, {_format_bytes(n_bytes)} {verb} in {root}")
        return 0


@contextlib.contextmanager
def _show_progress() -> Iterator[None]:
    """A bar with rate and time left on a terminal, one plain line elsewhere."""
    from biobench import progress

    if not sys.stderr.isatty():
        print("embedding …", file=sys.stderr)
        yield
        return
    import rich.console
    import rich.progress as bars

    columns = (
        bars.TextColumn("{task.description}"),
        bars.BarColumn(),
        bars.MofNCompleteColumn(),
        bars.TextColumn("{task.fields[rate]}"),
        bars.TimeRemainingColumn(),
    )
    console = rich.console.Console(stderr=True)
    with bars.Progress(*columns, console=console) as display:
        task = display.add_task("embed", total=None, rate="")

        def update(stage: str, done: int, total: int) -> None:
            speed = display.tasks[0].speed
            rate = f"{speed:.1f} images/s" if speed else ""
            display.update(task, description=stage, completed=done, total=total, rate=rate)

        with progress.listen(update):
            yield


def _print_failures(failures: dict[str, str]) -> None:
    for image, reason in list(failures.items())[:MAX_SHOWN]:
        print(f"failed: {image}: {reason}", file=sys.stderr)
    if len(failures) > MAX_SHOWN:
        print(f"… and {len(failures) - MAX_SHOWN:,} more", file=sys.stderr)


def _describe_entry(entry) -> tuple[str, ...]:
    days = (time.time() - entry.used) / 86400
    return (
        entry.key[:12],
        f"{entry.n_rows:,}",
        str(entry.dim),
        _format_bytes(entry.n_bytes),
        "today" if days < 1 else f"{days:.0f} days ago",
        ", ".join(entry.models) or entry.adapter,
    )


def _format_bytes(n: float) -> str:
    for unit in ("B", "kB", "MB"):
        if n < 1000:
            return f"{n:.0f} {unit}" if unit == "B" else f"{n:.1f} {unit}"
        n /= 1000
    return f"{n:.1f} GB"
