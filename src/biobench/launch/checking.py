"""Everything that can be wrong with a plan, found before any of its cells starts.

    checked = check(plan)                       # data, models, device; BadInput names what is wrong
    finished = find_finished(plan, checked)     # cells that need not be run

No weights are loaded and no picture is read.
"""

import dataclasses
import inspect
import json
import typing
from pathlib import Path

from biobench import registry
from biobench.errors import BadInput
from biobench.interfaces import ModelArgs
from biobench.launch.plan import FEATURES_ORG, Cell, Plan, load_task
from biobench.launch.state import read_state

__all__ = ["Checked", "check", "find_finished"]


@dataclasses.dataclass(frozen=True)
class Checked:
    """What is known of a cell before its model is loaded."""

    protocol_digest: str
    n_images: int
    by_split: dict[str, int]
    found: str = ""
    """what was found and what was left out, in one line."""
    notes: tuple[str, ...] = ()
    """what a reader should know of how the data was read, one sentence each."""


def check(plan: Plan, *, device: bool = True) -> dict[str, Checked]:
    """See that every cell can start; returns what is known of each, by its id.

    device: whether the device must be on this machine (on a cluster's login node it is not).
    Raises BadInput for data, a model or a device that is not what the plan needs.
    """
    from biobench import evaluate, features

    if device:
        features.resolve_device(plan.device)
    for model in dict.fromkeys(cell.model for cell in plan.cells):
        _check_model(model)
    found: dict[str, Checked] = {}
    known: dict[str, Checked] = {}
    for cell in plan.cells:
        args = cell.make_args(device="cpu")
        key = json.dumps([cell.kind, {**cell.args, "features": ""}], sort_keys=True)
        if key not in known:
            known[key] = _check_data(cell, args)
        found[cell.id] = known[key]
        if cell.model[0] == FEATURES_ORG:
            _, manifest = evaluate.select(load_task(cell.kind, cell.task), args)
            # Costs a look-up, and says now which pictures have no vector.
            evaluate.get_source(args, cell.model)(manifest.root, manifest.images())
    return found


def find_finished(plan: Plan, checked: dict[str, Checked]) -> dict[str, Path]:
    """The newest run of each cell that has one under its model's name, by the cell's id.

    The weights behind a name are not loaded. A cell whose model has changed since its last run, as
    far as its files tell (a local checkpoint, a file of vectors, the code of an adapter), is not
    finished: running it finds out whether it is the same.
    """
    from biobench import results

    if not plan.results.is_dir():
        return {}
    columns = ["task", "model", "protocol_digest", "run", "posix_time"]
    rows = results.scan(plan.results).runs.select(columns).iter_rows()
    runs = {row[:3]: (Path(row[3]), row[4]) for row in rows}
    found = {}
    for cell in plan.cells:
        key = (cell.task, cell.model_name, checked[cell.id].protocol_digest)
        if key not in runs:
            continue
        run, compared = runs[key]
        state = read_state(plan.folder, cell.id)
        if state.state == "done" and plan.results / state.run == run:
            # Weights are read after the start; what is written later, even before the end, may not
            # be what was run. A cell that was found to be unchanged started after its run.
            compared = state.started
        if all(_get_changed(path) <= compared for path in _list_files(cell)):
            found[cell.id] = run
    return found


def _list_files(cell: Cell) -> list[Path]:
    """The files that a cell's model is known to be made of, before it is loaded."""
    org, ckpt = cell.model
    if org == FEATURES_ORG:
        return [Path(str(cell.args["features"]))]
    cls = registry.load_vision_backbone_class(org)
    files = []
    if cls.__module__.partition(".")[0] != "biobench":
        files.append(Path(inspect.getfile(cls)))
    if ckpt.startswith("local:"):
        files.append(Path(ckpt.removeprefix("local:").partition("/")[2]))
    return files


def _get_changed(path: Path) -> float:
    """When a file was last written, or put in its place with an older date."""
    stat = path.stat()
    return max(stat.st_mtime, stat.st_ctime)


def _check_data(cell: Cell, args: typing.Any) -> Checked:
    from biobench import evaluate

    digest, manifest = evaluate.select(load_task(cell.kind, cell.task), args)
    splits = manifest.table["split"].unique(maintain_order=True)
    return Checked(
        protocol_digest=digest,
        n_images=manifest.table["image"].n_unique(),
        by_split={split: manifest.split(split)["image"].n_unique() for split in splits},
        found=manifest.describe(),
        notes=manifest.notes,
    )


def _check_model(model: ModelArgs) -> None:
    org, ckpt = model
    if org == FEATURES_ORG:
        return
    try:
        cls = registry.load_vision_backbone_class(org)
        # Only some adapters can tell from the name alone that there is no such checkpoint.
        if hasattr(cls, "check_ckpt"):
            cls.check_ckpt(ckpt)
    except BadInput:
        raise
    except ValueError as err:
        raise BadInput(f"{org}:{ckpt}: {err}") from err
