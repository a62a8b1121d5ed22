"""A list of the checkpoints that the field uses, and what their pretraining has seen of our tasks.

    from biobench.catalog import find_checkpoint, read_checkpoints

`biobench models` prints it (docs/models.md); leaderboard, page and exports take their marks of
contamination from it (docs/contamination.md).
"""

from biobench.catalog.checkpoint_list import (
    MEASURED,
    Checkpoint,
    Published,
    find_checkpoint,
    judge_by_name,
    read_checkpoints,
)
from biobench.catalog.choosing import choose, parse_count
from biobench.catalog.contamination import (
    SEEN,
    STATUSES,
    DataSet,
    Finding,
    find_dataset,
    find_task,
    judge,
    list_contents,
    list_datasets,
    list_tasks,
)

__all__ = [
    "MEASURED",
    "SEEN",
    "STATUSES",
    "Checkpoint",
    "DataSet",
    "Finding",
    "Published",
    "choose",
    "find_checkpoint",
    "find_dataset",
    "find_task",
    "judge",
    "judge_by_name",
    "list_contents",
    "list_datasets",
    "list_tasks",
    "parse_count",
    "read_checkpoints",
]
