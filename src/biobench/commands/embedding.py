"""`biobench embed` and `biobench cache`."""

import dataclasses
import time
from pathlib import Path
from typing import Annotated, Literal

import tyro

from biobench.commands import flags, printing
from biobench.commands.explaining import Imports
from biobench.features.options import EmbedOptions

__all__ = ["Cache", "Embed"]

MAX_SHOWN = 20


@dataclasses.dataclass(frozen=True)
@flags.take(EmbedOptions, after="out", only_given=False)
class Embed:
    """Write the features of a folder of pictures to one Parquet file (id, path, feature).

    Exit code 1 if some pictures could not be used; they are listed, the others are in the file.
    """

    model: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="ORG:CKPT")]
    """the backbone."""
    images: Path
    """folder of pictures, or a table (.csv, .tsv, .parquet) with a column path (and id)."""
    out: Path
    """Parquet file to write (.parquet); one that is there is not overwritten."""
    imports: Imports = ()
    """modules or .py files to import first: they register what is not biobench's own."""

    def main(self) -> int:
        from biobench import clean, features, registry
        from biobench.errors import CellFailed
        from biobench.features import picture_vectors
        from biobench.imports import import_modules
        from biobench.screen import say

        import_modules(self.imports)
        picture_vectors.check_target(self.out)
        given = flags.read(self, features.EmbedOptions)
        device = str(features.resolve_device(str(given["device"])))
        options = features.EmbedOptions(**{**given, "device": device})
        table = picture_vectors.read_pictures(
            self.images, crop=options.crop, margin=options.crop_margin
        )
        backbone = registry.make_vision_backbone(
            registry.parse_model(self.model), options.get_choices()
        )
        source = features.BackboneSource(backbone, options, name=self.model)
        try:
            with printing.show_progress("embed", "embedding …"):
                found = source(table.root, table.images, table.crops)
        except CellFailed as err:
            say(f"biobench: {clean.sentence(str(err))}", error=True)
            return 1
        except KeyboardInterrupt:
            say("biobench: stopped; the same command goes on from here.", error=True)
            return 130
        n_rows = picture_vectors.write_vectors(table, found, self.out)
        counts = found.counts
        place = clean.line(str(self.out))
        say(
            f"{place}: {n_rows:,} rows of {found.dim} numbers ({counts['embedded']:,} pictures "
            f"embedded, {counts['known'] + counts['recognised']:,} known, {counts['failed']:,} "
            "failed)"
        )
        for warning in (*table.notes, *found.warnings):
            say(f"warning: {clean.sentence(warning)}", error=True)
        _print_left_out(table.left_out)
        _print_failures(found.failures)
        return 1 if found.failures else 0


@dataclasses.dataclass(frozen=True)
class Cache:
    """Show, verify or prune the feature cache.

    ls: what is there, by model, size and age, and what is known of the contents of which folders.
    verify: read every byte of the features (exit code 1 if something is damaged). prune: delete
    what --older-than and --model say; with neither, only what nothing will ever read again.
    """

    action: tyro.conf.Positional[Literal["ls", "verify", "prune"]]
    """what to do."""
    older_than: float | None = None
    """prune: days since a model's features, or what is known of a folder, were last used."""
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
        from biobench import clean
        from biobench.features import inventory
        from biobench.screen import say

        entries = inventory.list_entries(root)
        if self.model is not None:
            entries = [entry for entry in entries if entry.matches(self.model)]
        if self.format == "json":
            say(clean.to_json([dataclasses.asdict(entry) for entry in entries], indent=2))
            return 0
        rows = [_describe_entry(entry) for entry in entries]
        header = ("key", "images", "dim", "size", "used", "models")
        widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]
        for row in [header, *rows]:
            say("  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)))
        n_bytes = sum(entry.n_bytes for entry in entries)
        say(f"{len(entries)} models, {_format_bytes(n_bytes)} in {root}")
        if self.model is None:
            self._ls_contents()
        return 0

    def _ls_contents(self) -> None:
        from biobench import clean
        from biobench.data import content_index
        from biobench.screen import say

        entries = content_index.list_entries()
        for entry in entries:
            size, age = _format_bytes(entry.n_bytes), _format_age(entry.used)
            say(f"{size}  {age}  {clean.line(entry.what)}")
        n_bytes = sum(entry.n_bytes for entry in entries)
        say(f"{len(entries)} folders, {_format_bytes(n_bytes)} in {content_index.contents_root()}")

    def _verify(self, root: Path) -> int:
        from biobench import clean
        from biobench.features import inventory
        from biobench.screen import say

        problems = inventory.verify(root)
        for problem in problems:
            say(clean.sentence(problem))
        if problems:
            say(f"{len(problems)} damaged files; 'biobench cache prune' deletes those put aside.")
            return 1
        say(f"{root}: every shard is intact")
        return 0

    def _prune(self, root: Path) -> int:
        from biobench.data import content_index
        from biobench.features import inventory
        from biobench.screen import say

        seconds = None if self.older_than is None else self.older_than * 86400
        deleted, n_bytes = inventory.prune(
            root, older_than=seconds, model=self.model, dry_run=self.dry_run
        )
        for entry in deleted:
            say("  ".join(_describe_entry(entry)))
        verb = "would be freed" if self.dry_run else "freed"
        say(f"{len(deleted)} models deleted, {_format_bytes(n_bytes)} {verb} in {root}")
        if self.model is None:
            # What is known of contents serves every model.
            folders, n_bytes = content_index.prune(older_than=seconds, dry_run=self.dry_run)
            place = content_index.contents_root()
            say(f"{len(folders)} folders deleted, {_format_bytes(n_bytes)} {verb} in {place}")
        return 0


def _print_left_out(left_out) -> None:
    from biobench import clean
    from biobench.screen import say

    if left_out:
        say(f"{len(left_out):,} files are not embedded:", error=True)
    for out in left_out[:MAX_SHOWN]:
        say(f"  {clean.line(out.path)}: {clean.line(out.reason)}", error=True)
    if len(left_out) > MAX_SHOWN:
        say(f"  … and {len(left_out) - MAX_SHOWN:,} more", error=True)


def _print_failures(failures: dict[str, str]) -> None:
    from biobench import clean
    from biobench.screen import say

    for image, reason in list(failures.items())[:MAX_SHOWN]:
        say(f"failed: {clean.line(image)}: {clean.sentence(reason)}", error=True)
    if len(failures) > MAX_SHOWN:
        say(f"… and {len(failures) - MAX_SHOWN:,} more", error=True)


def _describe_entry(entry) -> tuple[str, ...]:
    from biobench import clean

    return (
        entry.key[:12],
        f"{entry.n_rows:,}",
        str(entry.dim),
        _format_bytes(entry.n_bytes),
        _format_age(entry.used),
        clean.line(", ".join(entry.models) or entry.adapter),
    )


def _format_age(used: float) -> str:
    days = (time.time() - used) / 86400
    return "today" if days < 1 else f"{days:.0f} days ago"


def _format_bytes(n: float) -> str:
    for unit in ("B", "kB", "MB"):
        if n < 1000:
            return f"{n:.0f} {unit}" if unit == "B" else f"{n:.1f} {unit}"
        n /= 1000
    return f"{n:.1f} GB"
