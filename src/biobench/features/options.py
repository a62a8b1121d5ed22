"""How pictures are embedded: everything a user may choose about it.

options = EmbedOptions(device="cuda", batch_size="auto")
"""

import dataclasses
import os
import pathlib
import re
import typing

from biobench.args import Embedding, Precision
from biobench.errors import BadInput
from biobench.fields import option

if typing.TYPE_CHECKING:
    import torch

__all__ = ["EmbedOptions", "cache_root", "check_device_name", "require_precision"]
__all__ += ["resolve_device", "resolve_precision"]


@dataclasses.dataclass(frozen=True)
class EmbedOptions(Embedding):
    """How pictures are embedded, and where the vectors are kept."""

    device: str = option("auto", metavar="NAME")
    """auto, cpu, cuda or cuda:N."""
    resume: bool = option(True)
    """use features that were embedded before; --no-resume embeds anew, without deleting any."""
    cache_root: pathlib.Path | None = None
    """folder of the feature cache; None: see `cache_root()`."""
    shard_rows: int = 4096
    """images a cache shard, at most."""
    flush_seconds: float = 30.0
    """a shard is written after this long even if it is not full: what a killed run loses."""

    def __post_init__(self):
        self.check_embedding()


def cache_root() -> pathlib.Path:
    """The feature cache: `$BIOBENCH_FEATURES`, else `features/` of the cache folder."""
    # Late: the options themselves, which the command line reads, need no polars.
    from biobench.data.contents import cache_home

    root = os.environ.get("BIOBENCH_FEATURES")
    return pathlib.Path(root).expanduser() if root else cache_home() / "features"


def check_device_name(name: str) -> None:
    """Raise BadInput unless it is auto, cpu, cuda or cuda:N; none of them need be here."""
    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", name):
        raise BadInput(f"device is '{name}'; give auto, cpu, cuda or cuda:N.")


def resolve_device(name: str) -> "torch.device":
    """The torch device for auto, cpu, cuda or cuda:N; raises BadInput if it is not there."""
    import torch

    check_device_name(name)
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    device = torch.device(name)
    if device.type == "cpu":
        return device
    if not torch.cuda.is_available():
        raise BadInput(f"device is '{name}' but this machine has no usable CUDA; use cpu or auto.")
    n_devices = torch.cuda.device_count()
    if device.index is not None and device.index >= n_devices:
        raise BadInput(f"device is '{name}' but there are {n_devices} CUDA devices, from cuda:0.")
    return device


def resolve_precision(precision: str, device: "torch.device") -> str:
    """fp32, fp16 or bf16; raises BadInput for another one."""
    if precision not in typing.get_args(Precision):
        known = ", ".join(typing.get_args(Precision))
        raise BadInput(f"precision is '{precision}'; give one of {known}.")
    if precision == "auto":
        return "fp16" if device.type == "cuda" else "fp32"
    return precision


def require_precision(precision: str, device: "torch.device") -> None:
    """Raise BadInput where a backbone would run in half precision on a CPU, where it only costs.

    Vectors that a GPU made in half precision can be used on a CPU all the same.
    """
    if device.type == "cpu" and precision != "fp32":
        raise BadInput(
            f"precision is '{precision}' but a CPU only runs fp32, and there are pictures that no "
            "GPU has embedded yet; embed them on a GPU, or use fp32 or auto."
        )
