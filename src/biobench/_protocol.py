"""What decides a cell's numbers besides data and model: a task's `Protocol` and its `Args`.

Both are public as `biobench.evaluate.Protocol` and `biobench.evaluate.Args`.
"""

import dataclasses
from typing import Literal

from biobench.contract import TaskArgs

__all__ = ["Args", "BatchSize", "Protocol"]

BatchSize = int | Literal["auto"]


@dataclasses.dataclass(frozen=True)
class Args(TaskArgs):
    """What every task that runs on this spine can be told."""

    batch_size: BatchSize = 256
    """images in a forward pass."""
    n_workers: int = 4
    """processes that decode pictures; 0 decodes in this one."""
    n_train: int = -1
    """training examples to use, nested from the seed; -1 uses all."""
    n_train_unit: Literal["class", "total"] = "class"
    """whether n_train counts per class or over all classes."""
    probe: str = ""
    """the probe to fit; empty means the task's own."""
    folds: Literal["stratified-shuffle", "kfold", "group"] = "stratified-shuffle"
    """cross-validation folds of a probe that chooses a penalty; group keeps groups (cameras,
    videos) whole, and the choice is then by accuracy."""
    precision: Literal["auto", "fp32", "fp16", "bf16"] = "auto"
    """arithmetic of the backbone; auto is fp32 on a CPU."""
    exif: bool = False
    """rotate pictures as their EXIF tag says; the published protocols do not."""
    compile: bool = False
    """compile the backbone; pays off on a GPU with many images."""
    resume: bool = True
    """use features embedded before; without, embed anew."""
    features: str = ""
    """Parquet file with the vectors of a `features:NAME` model."""
    metrics: list[str] = dataclasses.field(default_factory=list)
    """metrics to report beside the task's own; what they need is kept with the predictions."""


@dataclasses.dataclass(frozen=True)
class Protocol:
    """How a task turns features into a score: everything that is not data, model or `Args`."""

    title: str
    """the report's name."""
    probe: str
    """name of a probe (`biobench.probes`)."""
    metric: str
    """name of a metric (`biobench.metrics`)."""
    test_split: str = "test"
    also_score: tuple[str, ...] = ()
    """further splits whose predictions `calc_splits` is given."""
    pooling: Literal["none", "mean", "max"] = "none"
    """how the images of one example become one vector."""
    normalize: bool = False
    """scale each image's features to unit length before pooling."""
    version: int = 1
    """raised whenever the task's loader or protocol changes what it computes."""
    folds_test: int = 0
    """test every example once, in the folds of the manifest's column `fold`; 0: one test split."""
