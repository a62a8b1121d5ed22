"""Which jobs a plan's cells become on a cluster: who embeds what, who waits for whom.

    for work in plan_work(plan, missing, checked, settings, live): work.parts, work.dependent

Of each model, cells that share pictures (or have very many) are embedded by an array of jobs, a
range of the pictures each; their probes are an array that depends on it. Nothing is submitted here.
"""

import dataclasses
import math
from collections.abc import Iterator, Sequence

from biobench.launch.checking import Checked
from biobench.launch.config import SlurmSettings
from biobench.launch.plan import Cell, Plan
from biobench.launch.slurm.jobs import CellJob, PartJob
from biobench.launch.states import read_state

__all__ = ["Work", "asks_for_gpu", "get_probe_settings", "plan_work"]


@dataclasses.dataclass(frozen=True)
class Work:
    """One model's jobs that are to be submitted."""

    cells: list[Cell]
    parts: list[PartJob]
    embedding: list[str]
    """ids of live jobs that embed pictures which `dependent` needs."""
    direct: list[CellJob]
    """cells that embed for themselves."""
    dependent: list[CellJob]
    """cells that wait for parts."""


def plan_work(
    plan: Plan,
    missing: Sequence[Cell],
    checked: dict[str, Checked],
    settings: SlurmSettings,
    live: set[str],
) -> Iterator[Work]:
    """Each model's jobs. One after the other: what is submitted of one is known to the next."""
    for model in dict.fromkeys(cell.model for cell in missing):
        cells = [cell for cell in missing if cell.model == model]
        yield _plan_model(plan, cells, checked, settings, live)


def _plan_model(
    plan: Plan,
    cells: list[Cell],
    checked: dict[str, Checked],
    settings: SlurmSettings,
    live: set[str],
) -> Work:
    groups: dict[object, list[Cell]] = {}
    for cell in cells:
        groups.setdefault(cell.feature_key, []).append(cell)
    device = _choose_device(plan, settings)
    direct, dependent, parts = [], [], []
    for group in groups.values():
        n_images = max(checked[cell.id].n_images for cell in group)
        n_parts = math.ceil(n_images / settings.images_per_job)
        if n_parts == 1 and len(group) == 1:
            direct.append(CellJob(str(plan.folder), group[0].id, settings.cpus, device))
            continue
        dependent += [_make_dependent(plan, cell, settings) for cell in group]
        parts += _make_parts(plan, group, n_parts, device)
    if plan.resume:
        parts = [part for part in parts if read_state(plan.folder, part.id).state != "done"]
    jobs = {part.id: read_state(plan.folder, part.id).job for part in parts}
    fresh = [part for part in parts if jobs[part.id] not in live]
    embedding = [job for job in jobs.values() if job in live]
    return Work(cells, fresh, embedding, direct, dependent)


def _make_dependent(plan: Plan, cell: Cell, settings: SlurmSettings) -> CellJob:
    """The job of a cell whose pictures other jobs embed, maybe on a GPU that it does not have."""
    probe = get_probe_settings(settings)
    device = _choose_device(plan, probe)
    precision = ""
    if plan.device != "cpu" and asks_for_gpu(settings) and not asks_for_gpu(probe):
        # On a CPU "auto" would be another precision, and every picture would be embedded again.
        precision = str(cell.args.get("precision", "auto"))
        device, precision = "cpu", "fp16" if precision == "auto" else precision
    return CellJob(str(plan.folder), cell.id, probe.cpus, device, precision)


def get_probe_settings(settings: SlurmSettings) -> SlurmSettings:
    return dataclasses.replace(settings, **settings.probe, probe={})


def asks_for_gpu(settings: SlurmSettings) -> bool:
    """Whether jobs ask Slurm for a GPU, by `gpus` or by an option of sbatch."""
    return settings.gpus > 0 or any("gpu" in f"{k}={v}" for k, v in settings.options.items())


def _choose_device(plan: Plan, settings: SlurmSettings) -> str:
    """A job that asked for a GPU and finds none should fail, not run for days on a CPU."""
    return "cuda" if plan.device == "auto" and asks_for_gpu(settings) else plan.device


def _make_parts(plan: Plan, group: Sequence[Cell], n_parts: int, device: str) -> list[PartJob]:
    ids = tuple(cell.id for cell in group)
    # Named after the plan's first cell with these pictures, be it missing or not: the same parts
    # have the same names when the plan is submitted again.
    name = next(cell.id for cell in plan.cells if cell.feature_key == group[0].feature_key)
    return [
        PartJob(str(plan.folder), ids, f"{name}.part{i + 1}of{n_parts}", i, n_parts, device)
        for i in range(n_parts)
    ]
