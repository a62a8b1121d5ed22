"""Draws the whole world: data sets below one folder, in parallel, the same for the same seed.

    world = generate(Path("demo"), size="small", seed=0)
    world.counts["newt"]["images"]
    generate(Path("demo"), tasks="all")      # and a small world of each task of the wider suite

A file `demo-world.json` beside the four core folders says what was drawn, `demo-suite.json` the
same of the others; a finished world that is asked for again is left as it is.
"""

import concurrent.futures
import dataclasses
import functools
import hashlib
import itertools
import json
import multiprocessing
import os
import pathlib
import shutil
import signal
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

from biobench import atomic
from biobench.demo import iwildcam, kabr, newt, plantnet, suite
from biobench.demo.layout import Layout, Unit
from biobench.demo.shots import SuiteScale
from biobench.errors import BadInput
from biobench.progress import report

__all__ = [
    "FOLDERS",
    "MARKER",
    "SUITE_MARKER",
    "Scale",
    "World",
    "generate",
    "generate_suite",
    "layouts",
    "scale_of",
]

MARKER = "demo-world.json"
SUITE_MARKER = "demo-suite.json"
FOLDERS = ("newt", "kabr", "iwildcam", "plantnet")
Size = Literal["small", "full"]


@dataclasses.dataclass(frozen=True)
class Scale:
    """How large each data set is."""

    newt: newt.NewtScale
    kabr: kabr.KabrScale
    iwildcam: iwildcam.CamScale
    plantnet: plantnet.PlantScale


@dataclasses.dataclass(frozen=True)
class World:
    """What was drawn."""

    out: pathlib.Path
    """holds one folder a task."""
    seed: int
    counts: dict[str, dict[str, int]]
    """by task: images, classes, and what else can be counted."""
    digest: str
    """equal digests mean the same pictures (under the same versions of numpy and Pillow)."""
    drawn: bool
    """False if the world was there already."""


def generate(
    out: pathlib.Path,
    *,
    size: Size | Scale = "small",
    seed: int = 0,
    n_jobs: int = 0,
    tasks: Literal["core", "all"] = "core",
) -> World:
    """Draw the world into `out` and return its counts; reports progress as stage "draw".

    size: "small" (a few thousand pictures), "full" (the published counts) or counts of your own, of
        the four core tasks; the others are always small.
    n_jobs: processes; 0 takes one a core. The bytes do not depend on it. With more than one, the
        calling script must guard its entry with `if __name__ == "__main__":`.
    tasks: "all" draws the wider suite as well, which leaves the core world as it is.
    Raises BadInput if `out` holds one of the folders but no world that we drew.
    """
    scale = size if isinstance(size, Scale) else scale_of(size)
    digest = _digest(dataclasses.asdict(scale), seed)
    world = _generate(pathlib.Path(out), layouts(scale, seed), seed, digest, MARKER, n_jobs)
    if tasks == "core":
        return world
    more = generate_suite(out, seed=seed, n_jobs=n_jobs)
    counts = {**world.counts, **more.counts}
    return dataclasses.replace(world, counts=counts, drawn=world.drawn or more.drawn)


def generate_suite(
    out: pathlib.Path,
    *,
    scale: SuiteScale | None = None,
    seed: int = 0,
    n_jobs: int = 0,
    names: Iterable[str] = (),
) -> World:
    """Draw the worlds of the wider suite into `out`, as `generate` does.

    names: the tasks; empty means all of them.
    """
    scale = scale or SuiteScale()
    sets = suite.layouts(scale, seed, names)
    spec = [dataclasses.asdict(scale), *(layout.folder for layout in sets)]
    return _generate(pathlib.Path(out), sets, seed, _digest(spec, seed), SUITE_MARKER, n_jobs)


def _generate(
    out: pathlib.Path, sets: Sequence[Layout], seed: int, digest: str, marker: str, n_jobs: int
) -> World:
    world = World(out, seed, {s.folder: s.counts() for s in sets}, digest, True)
    path = out / marker
    found = _read_marker(path)
    if found == {"digest": digest, "finished": True}:
        return dataclasses.replace(world, drawn=False)
    _clear(out, [layout.folder for layout in sets], found)
    _write_marker(path, world, finished=False)
    _draw(out, sets, n_jobs or _cores())
    for layout in sets:
        for name, lines in layout.tables():
            _write_lines(out / layout.folder / name, lines)
    _write_marker(path, world, finished=True)
    return world


def layouts(scale: Scale, seed: int) -> tuple[Layout, ...]:
    """The four data sets as plans: what would be drawn, and in which files."""
    return (
        newt.Newt(scale.newt, seed),
        kabr.Kabr(scale.kabr, seed),
        iwildcam.IWildCam(scale.iwildcam, seed),
        plantnet.PlantNet(scale.plantnet, seed),
    )


def scale_of(size: Size) -> Scale:
    """The counts behind a size's name."""
    modules = (newt, kabr, iwildcam, plantnet)
    return Scale(*(getattr(module, size.upper()) for module in modules))


def _draw(out: pathlib.Path, sets: Sequence[Layout], n_jobs: int) -> None:
    total = sum(layout.counts()["images"] for layout in sets)
    jobs = ((str(out / layout.folder), unit) for layout in sets for unit in layout.units())
    done = 0
    report("draw", 0, total)
    for count in _spread(jobs, n_jobs):
        done += count
        report("draw", done, total)


def _spread(jobs: Iterable[tuple[str, Unit]], n_jobs: int) -> Iterator[int]:
    """Draw each unit, yielding how many pictures it had."""
    if n_jobs == 1:
        yield from itertools.starmap(_draw_unit, jobs)
        return
    # Not forked: the caller may have threads (torch has), and a forked copy of them can hang.
    context = multiprocessing.get_context("spawn")
    # Ctrl-C is the parent's to handle: it stops handing out units.
    quiet = (signal.SIGINT, signal.SIG_IGN)
    with concurrent.futures.ProcessPoolExecutor(n_jobs, context, signal.signal, quiet) as pool:
        jobs, waiting = iter(jobs), set()
        try:
            while True:
                # A few units ahead: a full world has too many to queue at once.
                for job in itertools.islice(jobs, 4 * n_jobs - len(waiting)):
                    waiting.add(pool.submit(_draw_unit, *job))
                if not waiting:
                    return
                first = concurrent.futures.FIRST_COMPLETED
                finished, waiting = concurrent.futures.wait(waiting, return_when=first)
                for future in finished:
                    yield future.result()
        finally:
            for future in waiting:
                future.cancel()


def _draw_unit(folder: str, unit: Unit) -> int:
    count = 0
    for path, picture in unit.draw():
        file = pathlib.Path(folder, path)
        if count == 0 or not file.parent.is_dir():
            file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(picture)
        count += 1
    return count


def _write_lines(path: pathlib.Path, lines: Iterable[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="\n") as stream:
        stream.writelines(line + "\n" for line in lines)


def _read_marker(path: pathlib.Path) -> dict[str, object] | None:
    try:
        marker = json.loads(path.read_text())
        return {"digest": marker["digest"], "finished": marker["finished"]}
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (ValueError, KeyError, TypeError):
        raise BadInput(
            f"{path} does not describe a demo world; remove it or choose another --out."
        ) from None


def _write_marker(path: pathlib.Path, world: World, *, finished: bool) -> None:
    marker = {
        "digest": world.digest,
        "finished": finished,
        "seed": world.seed,
        "counts": world.counts,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic.write(path, json.dumps(marker, indent=1) + "\n")


def _clear(out: pathlib.Path, folders: Sequence[str], found: dict[str, object] | None) -> None:
    """Remove an older or unfinished world, but never pictures that are not ours."""
    here = [out / name for name in folders if (out / name).exists()]
    if here and found is None:
        raise BadInput(
            f"{here[0]} exists and was not drawn by this program; choose another --out, so that no "
            "real data is overwritten."
        )
    for folder in here:
        shutil.rmtree(folder)


def _digest(scale: object, seed: int) -> str:
    """Names the pictures: counts, seed and the code that draws them."""
    spec = json.dumps([scale, seed], sort_keys=True)
    return hashlib.sha256(f"{spec}{_code_digest()}".encode()).hexdigest()[:16]


@functools.cache
def _code_digest() -> str:
    digest = hashlib.sha256()
    for path in sorted(pathlib.Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
