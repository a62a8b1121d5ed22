"""What is known of a model besides its scores: size, family, cost, age.

backbone = describe_backbone([run.report for run in its_runs])
backbone.n_parameters, backbone.family, backbone.gflops, backbone.images_per_second
"""

import dataclasses
import statistics
from collections.abc import Mapping, Sequence

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
    """by task: whether its data were in the pretraining ("yes", "no", "unknown")."""
    images_per_second: float | None = None
    """the network's forward pass alone, the median over the runs that computed features."""
    devices: tuple[str, ...] = ()
    """what that was measured on."""

    @property
    def year(self) -> str:
        """The year of release."""
        return self.released[:4]


def describe_backbone(reports: Sequence[dict]) -> Backbone:
    """What the reports of a model's runs say of it."""
    newest = max(reports, key=lambda report: report["posix_time"])
    model, described = newest["model"], newest["provenance"]["backbone"]
    said = _find_published(reports)
    rates = {(rate, where) for rate, where in map(_measure_rate, reports) if rate is not None}
    return Backbone(
        name=f"{model['org']}:{model['ckpt']}",
        organisation=model["org"],
        family=str(said.get("family") or ""),
        n_parameters=_get_number(described.get("n_parameters") or said.get("params")),
        image_size=_get_size(described.get("image_size") or said.get("resolution")),
        released=str(said.get("released") or ""),
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
