"""What `biobench download` prints: the plan, how far it is, and what came of each file.

On a terminal a bar with rate and time left; elsewhere a line when a stage begins, each quarter or
half a minute, and when it ends.
"""

import contextlib
import sys
import time
from collections.abc import Callable, Iterator, Sequence

from biobench import clean, progress
from biobench.download.planning import Item, Plan
from biobench.download.sizes import show_bytes
from biobench.download.task_folder import Outcome
from biobench.screen import is_terminal, say

__all__ = ["Lines", "note", "print_outcomes", "print_plans", "show_progress"]

STATES = {
    "complete": "there, verified",
    "elsewhere": "there, not verified",
    "there": "there, to be verified",
    "begun": "begun",
    "missing": "to fetch",
    "by hand": "to be brought by hand",
}
MOST_SILENT = 30.0
"""seconds of a stage after which its progress is said again."""
OFTEN = 0.1
"""seconds between two looks of a bar."""
LEAST_SILENT = 5.0
"""seconds between two lines about one stage, however fast its quarters pass."""


def note(text: str) -> None:
    """Say something on the error stream."""
    say(f"biobench: {clean.sentence(text)}", error=True)


def print_plans(plans: Sequence[Plan]) -> None:
    """Every file with its state, size, licence and first address, and what is needed in all."""
    for plan in plans:
        say(f"{clean.line(plan.task)}, in {clean.line(str(plan.folder))}")
        for item in plan.items:
            _print_item(item)
    count = sum(
        item.state not in ("complete", "elsewhere") for plan in plans for item in plan.items
    )
    fetch = sum(item.to_fetch for plan in plans for item in plan.items)
    unpack = sum(item.to_unpack for plan in plans for item in plan.items)
    unknown = sum(item.size is None for plan in plans for item in plan.items)
    more = f" ({unknown} of unknown size not counted)" if unknown else ""
    say(
        f"{count} files to bring, about {show_bytes(fetch)} to fetch and {show_bytes(unpack)} to "
        f"unpack{more}; nothing was fetched, without --dry-run it is."
    )


def _print_item(item: Item) -> None:
    source = item.source
    if item.size is None:
        size = "size unknown"
    else:
        size = f"{'' if source.size else 'about '}{show_bytes(item.size)}"
    parts = f", {len(source.parts)} pieces" if source.parts else ""
    checksum = (
        "checksum published" if source.checksum or source.checksums else "no checksum published"
    )
    say(f"  {clean.line(source.name)}: {STATES[item.state]}, {size}{parts}, {checksum}")
    say(f"    licence: {clean.sentence(source.licence or 'unknown')}")
    if source.citation:
        say(f"    cite: {clean.sentence(source.citation)}")
    pieces = source.parts or (source,)
    if source.listing:
        column, table = source.listing.address, source.listing.table
        say(f"    from: {clean.line(f'the column {column} of {table}, one by one')}")
    for address in item.addresses[pieces[0].name]:
        say(f"    from: {clean.line(address)}" + (" …" if source.parts else ""))
    if source.by_hand:
        say(f"    by hand: {clean.sentence(source.by_hand)}")


def print_outcomes(plan: Plan, outcomes: Sequence[Outcome]) -> int:
    """A line a file, failures last; returns how many failed."""
    failed = [outcome for outcome in outcomes if outcome.status == "failed"]
    task = clean.line(plan.task)
    for outcome in outcomes:
        if outcome.status != "failed":
            say(f"{task}: {clean.line(outcome.source)}: {clean.sentence(outcome.text)}")
    for outcome in failed:
        note(f"{task}: {outcome.source}: {outcome.text}")
    if not failed:
        say(f"{task}: complete in {clean.line(str(plan.folder))}")
    return len(failed)


@contextlib.contextmanager
def show_progress() -> Iterator[None]:
    """Show what is reported inside the block."""
    if not is_terminal(sys.stderr):
        with progress.listen(Lines()):
            yield
        return
    import rich.progress

    from biobench.console import CleanConsole

    columns = (
        rich.progress.TextColumn("{task.description}"),
        rich.progress.BarColumn(),
        rich.progress.TextColumn("{task.fields[pace]}"),
    )
    console = CleanConsole(stderr=True)
    bars = rich.progress.Progress(*columns, console=console, transient=True, redirect_stdout=False)
    with bars, progress.listen(_Bars(bars)):
        yield


class _Pace:
    """How fast a stage goes; what an earlier try fetched is no part of it."""

    def __init__(self, stage: str, now: float, done: int) -> None:
        self.stage, self.start, self.first = stage, now, done
        self._show = _show_files if stage.endswith("files") else show_bytes

    def describe(self, now: float, done: int, total: int) -> str:
        """How far it is, with the rate and the time left where they can be known."""
        text = f"{self._show(done)} of {self._show(total)}" if total else self._show(done)
        rate = (done - self.first) / max(now - self.start, 1e-9)
        if rate <= 0 or now == self.start:
            return text
        left = f", {_describe_left((total - done) / rate)}" if total > done else ""
        return f"{text}, {self._show(rate)} a second{left}"


class _Bars:
    """The bar of the stage that runs."""

    def __init__(self, bars, clock: Callable[[], float] = time.monotonic) -> None:
        self._bars, self._clock = bars, clock
        self._pace, self._task, self._drawn = _Pace("", 0.0, 0), None, 0.0

    def __call__(self, stage: str, done: int, total: int) -> None:
        now = self._clock()
        if stage != self._pace.stage:
            if self._task is not None:
                self._bars.remove_task(self._task)
            self._pace = _Pace(stage, now, done)
            self._task = self._bars.add_task(clean.line(stage), total=total or None, pace="")
        elif now - self._drawn < OFTEN and done < total:
            return
        self._drawn = now
        pace = self._pace.describe(now, done, total)
        self._bars.update(self._task, completed=done, total=total or None, pace=pace)


class Lines:
    """Progress as plain lines, few enough for a log."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._pace = clock, _Pace("", 0.0, 0)
        self._said, self._quarter = 0.0, 0

    def __call__(self, stage: str, done: int, total: int) -> None:
        now, quarter = self._clock(), 4 * done // total if total else 0
        if stage != self._pace.stage or done < self._pace.first:
            self._pace, self._said, self._quarter = _Pace(stage, now, done), now, quarter
            self._say(now, done, total)
            return
        silent = now - self._said
        if silent >= MOST_SILENT or (quarter > self._quarter and silent >= LEAST_SILENT):
            self._said, self._quarter = now, quarter
            self._say(now, done, total)

    def _say(self, now: float, done: int, total: int) -> None:
        pace = self._pace.describe(now, done, total)
        say(f"{clean.line(self._pace.stage)}: {pace}", error=True)


def _show_files(count: float) -> str:
    return f"{count:,.0f}"


def _describe_left(seconds: float) -> str:
    if seconds < 60:
        return f"about {max(1, round(seconds))} s left"
    if seconds < 90 * 60:
        return f"about {round(seconds / 60)} min left"
    return f"about {round(seconds / 3600)} h left"
