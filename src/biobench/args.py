"""What a run can be told about its tasks: every option, once (how, says `biobench.fields`).

    Embedding       how pictures are embedded: the same for a task and for `biobench embed`
    Args            what every task that runs on the spine can be told
    PictureArgs     and what the task `folder` can be told by flags, too

A new option is a field here and a line where it is used. `decides` says whether it goes into the
key of a feature, into a cell's protocol, or into neither.
"""

import dataclasses
import typing
from collections.abc import Mapping
from typing import Literal

from biobench.contract import TaskArgs
from biobench.errors import BadInput
from biobench.fields import list_options, option

__all__ = ["CHOICES", "Args", "BatchSize", "Embedding", "PictureArgs", "Pool", "Precision"]
__all__ += ["choose"]

Pool = Literal["default", "cls", "mean", "max", "map"]
BatchSize = int | Literal["auto"]
MAX_MARGIN = 10.0
Precision = Literal["auto", "fp32", "fp16", "bf16"]
CHOICES = ("pool", "image_size", "trust")
"""the options that a backbone's constructor takes (`VisionBackbone.choices`)."""


@dataclasses.dataclass(frozen=True)
class Embedding:
    """How pictures are embedded."""

    batch_size: BatchSize = option(64)
    """images (kabr: clips) in a forward pass on a GPU; auto looks for the fastest. A CPU always
    runs a few at a time, which is as fast as any."""
    n_workers: int = option(4)
    """processes that read and decode pictures; 0 uses none but the one that embeds."""
    precision: Precision = option("auto", decides=("features",), always=True)
    """arithmetic of the backbone; auto is fp32 on a CPU, fp16 on a GPU. A CPU only reads
    half-precision features that a GPU has made."""
    exif: bool = option(False, decides=("features", "protocol"), always=True)
    """rotate pictures as their EXIF tag says; the published protocols do not."""
    crop: Literal["none", "box", "square"] = option("none", decides=("parts", "protocol"))
    """cut each picture to its box, or to the smallest square around it; pictures without a box are
    left whole, and those with several are embedded once for each."""
    crop_margin: float = option(0.0, decides=("parts", "protocol"), metavar="FRACTION")
    """what --crop leaves around a box on every side, as a fraction of its own."""
    compile: bool = option(False)
    """compile the backbone; pays off on a GPU with many images."""
    pool: Pool = option("default", decides=("features",))
    """what becomes of a backbone's tokens: its class token, mean or maximum of its patches, its
    attention-pooling head; default is what its authors evaluate (docs/backbones.md)."""
    image_size: int = option(
        0, decides=("features",), metavar="PIXELS", usual="the checkpoint's own"
    )
    """height and width of the pictures that a backbone is given; 0 is the checkpoint's own."""
    trust: tuple[str, ...] = option((), metavar="ORG/REPO@COMMIT…")
    """repositories whose own code `hf:` may run, each at a commit that you have read."""

    def check_embedding(self) -> None:
        """Raise BadInput for a number that cannot be."""
        if self.batch_size != "auto" and self.batch_size < 1:
            raise BadInput(f"batch_size is {self.batch_size}; give a positive number, or 'auto'.")
        if self.n_workers < 0:
            raise BadInput(f"n_workers is {self.n_workers}; give 0 or more.")
        if not 0 <= self.crop_margin <= MAX_MARGIN:
            raise BadInput(
                f"crop_margin is {self.crop_margin}; give a fraction from 0 to {MAX_MARGIN:g}."
            )
        if self.crop_margin and self.crop == "none":
            raise BadInput(
                f"crop_margin is {self.crop_margin}, but nothing is cropped; set crop to 'box' or "
                "'square', too."
            )
        if self.image_size < 0:
            raise BadInput(f"image_size is {self.image_size}; give a number of pixels, or 0.")

    def get_embedding(self) -> dict[str, typing.Any]:
        """These options by name, whatever else the object holds."""
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(Embedding)}

    def get_choices(self) -> dict[str, typing.Any]:
        """What was chosen of a backbone's checkpoint, by the constructor's keyword arguments."""
        return choose(vars(self))


def choose(values: Mapping[str, typing.Any]) -> dict[str, typing.Any]:
    """Those of `CHOICES` among options by name that are not at their default."""
    said = list_options(Embedding)
    given = {name: values.get(name, said[name].default) for name in CHOICES}
    # A config file's lists are lists.
    plain = {n: tuple(value) if isinstance(value, list) else value for n, value in given.items()}
    return {name: value for name, value in plain.items() if value != said[name].default}


@dataclasses.dataclass(frozen=True)
class Args(Embedding, TaskArgs):
    """What every task that runs on this spine can be told."""

    batch_size: BatchSize = option(256, usual="the task's own")
    n_workers: int = option(4, usual="by cores, at most 4")
    n_train: int = option(-1, decides=("protocol",), always=True, plan="n_train")
    """training examples to use, nested from the seed; -1 uses all."""
    n_train_unit: Literal["class", "total"] = option("class", decides=("protocol",), always=True)
    """whether n_train counts per class or over all classes."""
    probe: str = option(
        "", decides=("protocol",), metavar="NAME", known="probes", usual="the task's own"
    )
    """the probe to fit instead of the task's own (docs/probes.md)."""
    protocol: Literal["original", "2026"] = option("original", decides=("protocol",))
    """the protocol of the task's authors, or the probes of the public leaderboard of 2026
    (docs/protocols.md); their results never stand in one column."""
    folds: Literal["stratified-shuffle", "kfold", "group"] = option(
        "stratified-shuffle", decides=("protocol",), always=True
    )
    """cross-validation folds of a probe that chooses a penalty; group keeps groups (cameras,
    videos) whole, and the choice is then by accuracy."""
    resume: bool = option(True, plan="resume")
    """use features embedded before; without, embed anew."""
    features: str = option("", decides=("features",), plan="features", path=True)
    """Parquet file with the vectors of a `features:NAME` model."""
    metrics: list[str] = option(
        factory=list, decides=("protocol",), metavar="NAME…", known="metrics"
    )
    """metrics to report beside the task's own (docs/metrics.md); what they need is kept with the
    predictions."""
    names: str = option("", decides=("protocol",), path=True)
    """zero-shot: table of what the labels are called, columns label, scientific, common, kingdom to
    species (docs/zero-shot.md)."""
    candidates: str = option("", decides=("protocol",), path=True)
    """zero-shot: list of the species that there can be, one a line; without it, the classes of the
    data."""
    prompt: Literal["mixed", "common", "scientific", "taxonomic"] = option(
        "mixed", decides=("protocol",)
    )
    """zero-shot: the form of name that prompts use; mixed is lineage and common name."""
    templates: Literal["openai", "simple", "bioclip", "none"] = option(
        "openai", decides=("protocol",)
    )
    """zero-shot: the sentences that names are put into; each class is their mean."""


@dataclasses.dataclass(frozen=True)
class PictureArgs(Args):
    """What a task on pictures of the user's own can be told."""

    root: str = option("", decides=("data",), metavar="DIR", path=True, usual="the table's folder")
    """task folder: where the paths of a table start."""
    columns: tuple[str, ...] = option((), decides=("data",), metavar="ROLE=NAME…")
    """task folder: what a table's columns are called, as path=File label=Species; usual names need
    none."""
    skip_missing: bool = option(False, decides=("data",))
    """task folder: leave out pictures of a table that are not there, instead of stopping."""
    folds_test: int = option(0, decides=("protocol",), refused=True)
    """task folder: test every picture once, in so many folds, whole groups together; 0 is one test
    set."""
    split_by: str = option("random", decides=("data",), metavar="WHAT", refused=True)
    """task folder: what is not torn by the split into training and test: camera, date (a day),
    observer, or the name of a column; random parts pictures, or groups where there are some."""
    boxes: str = option("", decides=("data",), metavar="FILE", path=True)
    """task folder: MegaDetector's output, for the boxes of animals; in a folder it is found."""
    box_confidence: float | None = option(
        None, decides=("data",), metavar="X", usual="what that file recommends, else 0.2"
    )
    """task folder: the least confidence of a box of MegaDetector's."""
