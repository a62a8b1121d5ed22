"""Everything that can be wrong with a plan, found before any of its cells starts.

    checked = check(plan)                       # data, models, device; BadInput names what is wrong
    finished = find_finished(plan, checked)     # cells that need not be run

No weights are loaded and no picture is read.
"""

import dataclasses
import json
import typing
from pathlib import Path

from biobench import registry
from biobench.errors import BadInput
from biobench.interfaces import ModelArgs
from biobench.launch.plan import FEATURES_ORG, Cell, Plan, load_task

__all__ = ["Checked", "check", "find_finished"]


@dataclasses.dataclass(frozen=True)
class Checked:
    """What is known of a cell before its model is loaded."""

    protocol_digest: str
    n_images: int
    by_split: dict[str, int]


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

    Says nothing of the weights behind the name: that is seen when the cell is run.
    """
    from biobench import results

    if not plan.results.is_dir():
        return {}
    columns = ["task", "model", "protocol_digest", "run"]
    rows = results.scan(plan.results).runs.select(columns).iter_rows()
    runs = {tuple(row[:3]): Path(row[3]) for row in rows}
    keys = {c.id: (c.task, c.model_name, checked[c.id].protocol_digest) for c in plan.cells}
    return {id: runs[key] for id, key in keys.items() if key in runs}


def _check_data(cell: Cell, args: typing.Any) -> Checked:
    from biobench import evaluate

    digest, manifest = evaluate.select(load_task(cell.kind, cell.task), args)
    splits = manifest.table["split"].unique(maintain_order=True)
    return Checked(
        protocol_digest=digest,
        n_images=manifest.table["image"].n_unique(),
        by_split={split: manifest.split(split)["image"].n_unique() for split in splits},
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
