"""The ground of the contract: what an example is, how a model is named, what a task is told.

Public as `biobench.interfaces`; metrics, statistics and the registry, which a report stands on,
import it from here.
"""

import dataclasses

from biobench.fields import option

__all__ = ["CLASS_LABELS", "CLASS_SCORES", "Example", "ModelArgs", "TaskArgs"]

CLASS_SCORES = "class_scores"
"""the column with the scores of all classes, in the order of `class_labels`."""
CLASS_LABELS = "class_labels"
"""the column with the names of all classes, as a JSON list."""

ModelArgs = tuple[str, str]
"""(model_org, ckpt), as in ("open-clip", "ViT-B-16/openai")."""


@dataclasses.dataclass(frozen=True)
class TaskArgs:
    """What every task is told; each task's `Args` descends from this."""

    seed: int = option(42, decides=("protocol",), always=True, plan="seeds")
    """seeds every random choice: folds, subsets, searches."""
    datadir: str = option("", decides=("data",), path=True, own=True, usual="`data`/NAME")
    """this task's data, where it was downloaded to."""
    device: str = option("cuda", plan="device")
    """device of the backbone; set by the launcher."""
    debug: bool = option(False, decides=("protocol",), always=True, plan="debug")
    """a few batches only; set by the launcher."""


@dataclasses.dataclass(frozen=True)
class Example:
    """One scored test example."""

    id: str
    """the example's real id (file, clip, specimen), never its position in a loader."""
    score: float
    """how right the model was on it, in [0, 1]."""
    info: dict[str, object]
    """at least y_true and y_pred for a classification; group, subtask and what the task knows."""
