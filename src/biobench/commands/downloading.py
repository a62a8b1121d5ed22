"""`biobench download`: a task's published data, fetched, verified and unpacked."""

import dataclasses
from pathlib import Path
from typing import Annotated

import tyro

from biobench.commands.explaining import Imports

__all__ = ["Download"]


@dataclasses.dataclass(frozen=True)
class Download:
    """Fetch, verify and unpack the published data of tasks, from where an earlier try was left.

    What is verified is not fetched again, and nothing is unpacked that is not. Exit code 1 where a
    file could not be brought; the others are. docs/download.md tells of mirrors and of files that
    only a person can fetch.
    """

    tasks: tyro.conf.Positional[Annotated[tuple[str, ...], tyro.conf.arg(metavar="TASK…")]]
    """the tasks: their names, as biobench tasks lists them."""
    data: Annotated[Path, tyro.conf.arg(metavar="ROOT")]
    """folder that holds one folder a task."""
    dry_run: bool = False
    """say what would be fetched, with sizes and licences, and fetch nothing."""
    remove_archives: bool = False
    """remove each archive once it is unpacked."""
    mirror: tyro.conf.UseAppendAction[
        Annotated[tuple[str, ...], tyro.conf.arg(metavar="[TASK[/FILE]=]ADDRESS")]
    ] = ()
    """an address to try first, that holds TASK/FILE (of one task: FILE); once for each mirror."""
    imports: Imports = ()
    """modules or .py files to import first: they register what is not biobench's own."""

    def main(self) -> int:
        from biobench import download, interrupts
        from biobench.download import display

        try:
            with download.Fetcher(tell=display.note) as fetcher:
                plans = self._make_plans(download.Asker(fetcher.client))
                if self.dry_run:
                    display.print_plans(plans)
                    return 0
                download.require_room(plans)
                return int(self._bring(plans, fetcher) > 0)
        except KeyboardInterrupt:
            display.note("stopped; the same command goes on from here")
            return interrupts.STOPPED

    def _bring(self, plans, fetcher) -> int:
        from biobench import download
        from biobench.download import display

        n_failed = 0
        for plan in plans:
            with display.show_progress():
                outcomes = download.download(
                    plan, fetcher, remove_archives=self.remove_archives, tell=display.note
                )
            n_failed += display.print_outcomes(plan, outcomes)
        return n_failed

    def _make_plans(self, ask):
        from biobench import download, registry
        from biobench.download import display
        from biobench.imports import import_modules

        import_modules(self.imports)
        tasks = {name: _find_sources(name) for name in dict.fromkeys(self.tasks)}
        mirrors = download.read_mirrors(self.mirror)
        root = self.data.absolute()
        for name in sorted(mirrors.list_tasks() - set(registry.list_tasks())):
            display.note(f"the mirrors of '{name}' are not used: there is no such task")
        return [
            download.make_plan(name, sources, root / name, mirrors, ask)
            for name, sources in tasks.items()
        ]


def _find_sources(name: str):
    """The sources of a task; raises BadInput where there is no such task, or it has none."""
    from biobench import registry
    from biobench.errors import BadInput

    sources = getattr(registry.load_task(name), "SOURCES", ())
    if not sources:
        raise BadInput(
            f"The task '{name}' has no published data to download; it takes what --data names."
        )
    return sources
