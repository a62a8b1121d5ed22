"""Everything that can be wrong with a plan, found before any of its cells starts.

    checked = check(plan)                       # data, models, device; BadInput names what is wrong
    finished = find_finished(plan, checked)     # cells that need not be run

No weights are loaded, and no picture is read whose content is known.
"""

import dataclasses
import json
import typing
from collections.abc import Sequence
from pathlib import Path

from biobench import registry
from biobench.args import choose
from biobench.contract import ModelArgs
from biobench.errors import BadInput
from biobench.launch.plan import FEATURES_ORG, Cell, Plan, load_task
from biobench.launch.states.state import read_state

__all__ = ["Checked", "check", "find_answered", "find_finished", "summarise"]


@dataclasses.dataclass(frozen=True)
class Checked:
    """What is known of a cell before its model is loaded."""

    protocol: str
    """as JSON."""
    protocol_digest: str
    """of protocol and data; empty where that needs pictures to be read."""
    n_images: int
    by_split: dict[str, int]
    found: str = ""
    """what was found and what was left out, in one line."""
    notes: tuple[str, ...] = ()
    """what a reader should know of how the data was read, one sentence each."""
    seen: tuple[str, ...] = ()
    """the fields of `evaluate.Seen`, with which a worker takes the data as they were here."""


def check(plan: Plan, *, device: bool = True) -> dict[str, Checked]:
    """See that every cell can start; returns what is known of each, by its id.

    device: whether the device must be on this machine (on a cluster's login node it is not).
    Raises BadInput for data, a model or a device that is not what the plan needs.
    """
    from biobench import evaluate, features
    from biobench.data.crops import list_views

    features.check_device_name(plan.device)
    for model in dict.fromkeys(cell.model for cell in plan.cells):
        _check_model(model)
    for cell in plan.cells:
        args = cell.make_args(device="cpu")
        probe = args.probe or load_task(cell.kind, cell.task).protocol(args).probe
        evaluate.check_text(cell.model, probe)
        registry.check_choices(cell.model, choose(cell.args))
    with evaluate.session():
        found = _check_all_data(plan)
        given = [cell for cell in plan.cells if cell.model[0] == FEATURES_ORG]
        finished = _find_told(plan, found)
        if device and len(finished) < len(plan.cells):
            # Loads torch, for which a plan that is finished need not wait.
            features.resolve_device(plan.device)
        for cell in given:
            if cell.id not in finished:
                args = cell.make_args(device="cpu")
                manifest = evaluate.prepare(load_task(cell.kind, cell.task), args).manifest
                # Costs a look-up, and says now which pictures have no vector.
                views = list_views(manifest.table, args.crop, args.crop_margin)
                evaluate.get_source(args, cell.model)(manifest.root, views.names)
    return found


def find_answered(plan: Plan, checked: dict[str, Checked]) -> dict[str, dict[str, object]]:
    """What is to be said of cells that need no worker, by their id: those of vectors from a file.

    Their files tell whether they are the same. Of other models only the weights do, which a worker
    loads.
    """
    finished = _find_told(plan, checked)
    return {
        cell.id: summarise(plan, finished[cell.id], _stamp(cell))
        for cell in plan.cells
        if cell.id in finished
    }


def _find_told(plan: Plan, checked: dict[str, Checked]) -> dict[str, Path]:
    """`find_finished` of vectors from files, where that needs no picture to be read."""
    if not plan.resume or plan.force:
        return {}
    given = [
        cell
        for cell in plan.cells
        if cell.model[0] == FEATURES_ORG and cell.id in checked and checked[cell.id].protocol_digest
    ]
    return find_finished(plan, checked, given)


def summarise(plan: Plan, run: Path, files: object) -> dict[str, object]:
    """What a cell's state says of its run; files: stamps of the model's files."""
    from biobench import results

    report = results.read_report(run)
    return {
        "run": str(run.relative_to(plan.results)),
        "score": report["score"],
        "ci": results.get_shown(report),
        "files": files,
    }


def _check_all_data(plan: Plan) -> dict[str, Checked]:
    found: dict[str, Checked] = {}
    known: dict[str, Checked] = {}
    for cell in plan.cells:
        args = cell.make_args(device="cpu")
        key = json.dumps([cell.kind, {**cell.args, "features": ""}], sort_keys=True)
        if key not in known:
            known[key] = _check_data(cell, args)
        found[cell.id] = known[key]
    return found


def find_finished(
    plan: Plan, checked: dict[str, Checked], cells: Sequence[Cell] | None = None
) -> dict[str, Path]:
    """The newest run of each cell (or of `cells`) that has one under its model's name, by its id.

    The weights behind a name are not loaded. A cell whose model has changed since its last run, as
    far as its files tell (a local checkpoint, a file of vectors, the code of an adapter), is not
    finished: running it finds out whether it is the same. Pictures whose content is not known are
    read where all but they say that there is a run.
    """
    from biobench import results

    if not plan.results.is_dir():
        return {}
    columns = ["task", "model", "protocol", "protocol_digest", "run"]
    rows = results.scan(plan.results).runs.select(columns).rows()
    runs = {(task, model, digest): Path(run) for task, model, _, digest, run in rows}
    protocols = {row[:3] for row in rows}
    digests: dict[int, str] = {}
    found = {}
    for cell in plan.cells if cells is None else cells:
        here = checked[cell.id]
        if (cell.task, cell.model_name, here.protocol) not in protocols:
            continue
        # Cells that share data and protocol share the object.
        if id(here) not in digests:
            digests[id(here)] = here.protocol_digest or _read_digest(cell)
        run = runs.get((cell.task, cell.model_name, digests[id(here)]))
        if run is None or not results.is_intact(run):
            continue
        if _has_same_model(plan, cell, run):
            found[cell.id] = run
    return found


def _has_same_model(plan: Plan, cell: Cell, run: Path) -> bool:
    """Whether a model's files and code are those that a run was made with."""
    from biobench import results
    from biobench.features.code import digest_code

    org, _ = cell.model
    backbone = results.read_report(run)["provenance"]["backbone"]
    stamps = _stamp(cell)
    accepted = [backbone.get("files")]
    state = read_state(plan.folder, cell.id)
    if state.state == "done" and plan.results / state.run == run:
        # Other files, that were found to hold the same model.
        accepted.append(state.files)
    if stamps not in accepted:
        return False
    if org == FEATURES_ORG:
        return True
    # As JSON has them.
    if backbone.get("choices", {}) != json.loads(json.dumps(choose(cell.args))):
        return False
    return backbone.get("code") == digest_code(registry.load_vision_backbone_class(org))


def _stamp(cell: Cell) -> object:
    """The stamps of a model's files, as a report keeps them."""
    from biobench.features.origins import list_files, stamp_files

    org, ckpt = cell.model
    files = [Path(str(cell.args["features"]))] if org == FEATURES_ORG else list_files(ckpt)
    return stamp_files(files)


def _read_digest(cell: Cell) -> str:
    from biobench import evaluate

    args = cell.make_args(device="cpu")
    return evaluate.prepare(load_task(cell.kind, cell.task), args).protocol_digest


def _check_data(cell: Cell, args: typing.Any) -> Checked:
    from biobench import evaluate

    prepared = evaluate.prepare(load_task(cell.kind, cell.task), args)
    manifest = prepared.manifest
    splits = manifest.table["split"].unique(maintain_order=True)
    return Checked(
        protocol=prepared.protocol_text,
        protocol_digest=prepared.protocol_digest if prepared.is_known else "",
        n_images=manifest.table["image"].n_unique(),
        by_split={split: manifest.split(split)["image"].n_unique() for split in splits},
        found=manifest.describe(),
        notes=manifest.notes,
        seen=dataclasses.astuple(prepared.seen) if prepared.seen else (),
    )


def _check_model(model: ModelArgs) -> None:
    org, ckpt = model
    if org == FEATURES_ORG:
        return
    try:
        registry.load_vision_backbone_class(org).check_ckpt(ckpt)
    except BadInput:
        raise
    except ValueError as err:
        raise BadInput(f"{org}:{ckpt}: {err}") from err
