"""What is known of a model besides its scores: size, family, cost, age.

backbone = describe_backbone([run.report for run in its_runs])
backbone.n_parameters, backbone.family, backbone.gflops, backbone.images_per_second
"""

import dataclasses
import statistics
from collections.abc import Mapping, Sequence

from biobench import catalog

__all__ = ["Backbone", "describe_backbone"]


@dataclasses.dataclass(frozen=True)
class Backbone:
    """A model as its runs describe it; None and "" where nothing is known."""

    name: str
    """as it is given on the command line."""
    organisation: str
    """what comes before the colon: the adapter that loads it."""
    family: str = ""
    n_parameters: int | None = None
    gflops: float | None = None
    """10^9 operations a picture; a multiplication with addition is two."""
    image_size: int | None = None
    """the longer side of what the network is given, in pixels."""
    released: str = ""
    """ISO 8601, as precise as known."""
    licence: str = ""
    seen: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """by task: what pretraining has seen of it, of `catalog.STATUSES`."""
    images_per_second: float | None = None
    """the network's forward pass alone, the median over the runs that computed features."""
    devices: tuple[str, ...] = ()
    """what that was measured on."""

    @property
    def year(self) -> str:
        """The year of release."""
        return self.released[:4]


def describe_backbone(reports: Sequence[dict]) -> Backbone:
    """What the reports of a model's runs and the list of checkpoints say of it."""
    newest = max(reports, key=lambda report: report["posix_time"])
    model, described = newest["model"], newest["provenance"]["backbone"]
    said = _find_published(reports)
    name = f"{model['org']}:{model['ckpt']}"
    size = _get_size(described.get("image_size") or said.get("resolution"))
    known = _look_up(name, size)
    rates = {(rate, where) for rate, where in map(_measure_rate, reports) if rate is not None}
    return Backbone(
        name=name,
        organisation=model["org"],
        family=known.family or str(said.get("family") or ""),
        n_parameters=_get_number(described.get("n_parameters") or said.get("params")),
        gflops=known.gflops,
        image_size=size,
        released=str(said.get("released") or "") or known.released,
        licence=known.licence,
        seen=known.seen,
        images_per_second=statistics.median(rate for rate, _ in rates) if rates else None,
        devices=tuple(sorted({where for _, where in rates})),
    )


def _find_published(reports: Sequence[dict]) -> dict:
    """What a published leaderboard says of the model, where a run was taken over from one."""
    for report in reports:
        model = report["provenance"].get("published", {}).get("model")
        if isinstance(model, dict):
            return model
    return {}


@dataclasses.dataclass(frozen=True)
class _Known:
    family: str = ""
    released: str = ""
    licence: str = ""
    gflops: float | None = None
    seen: Mapping[str, str] = dataclasses.field(default_factory=dict)


def _look_up(name: str, size: int | None) -> _Known:
    """What the list of checkpoints knows of a model; its cost where pictures are of that size."""
    one = catalog.find_checkpoint(name)
    if one is None:
        return _Known()
    return _Known(
        family=one.family,
        released=str(one.year),
        licence=one.licence,
        gflops=one.gflops if size == one.image_size else None,
        seen={task: one.judge(task).status for task in catalog.list_tasks()},
    )


def _measure_rate(report: dict) -> tuple[float | None, str]:
    """Pictures a second of the forward pass, where the run says how many it computed."""
    made = report["provenance"]
    n, seconds = made["counts"].get("n_embedded"), made["stages"].get("embed/forward")
    if not n or not seconds:
        return None, ""
    return n / seconds, str(report["gpu_name"])


def _get_number(value: object) -> int | None:
    return int(value) if isinstance(value, int | float) and value >= 0 else None


def _get_size(value: object) -> int | None:
    sides = value if isinstance(value, list) else [value]
    numbers = [side for side in map(_get_number, sides) if side]
    return max(numbers, default=None)
