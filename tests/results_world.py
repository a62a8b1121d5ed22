"""Small reports with known properties, for the tests of results and report."""

import dataclasses

import numpy as np

from biobench import metrics
from biobench.interfaces import Example, Provenance, TaskReport

CLASSES = ("ant", "bee", "cicada", "dragonfly")
START = 1_700_000_000.0
GOOD, CLOSE, POOR = "timm:good", "open-clip:a/close", "baseline:poor"


def make_report(
    *,
    n: int = 60,
    accuracy: float = 0.7,
    seed: int = 0,
    metric: str = "mean-score",
    backbone: str = "backbone-a",
    manifest: str = "data-1",
    n_groups: int | None = None,
    posix_time: float = START,
    training_seed: int = 42,
    **protocol: object,
) -> TaskReport:
    """A report with `n` examples of four classes, right with probability `accuracy`."""
    rng = np.random.default_rng(seed)
    examples = []
    for i in range(n):
        truth = CLASSES[i % len(CLASSES)]
        right = rng.random() < accuracy
        wrong = CLASSES[(i + 1 + int(rng.integers(3))) % len(CLASSES)]
        info = {
            "subtask": None,
            "group": None if n_groups is None else f"camera-{i % n_groups}",
            "y_true": truth,
            "y_pred": truth if right else wrong,
            "top_labels": [truth, wrong],
            "top_scores": [0.75, 0.25],
            "train_count": 10 ** (i % len(CLASSES)),
            "site": f"site-{i % 2}",
        }
        examples.append(Example(f"img-{i}", float(right), info))
    return TaskReport(
        name="Insects",
        examples=examples,
        splits={"acc/day": 0.5, "acc/night": 0.25},
        calc_mean_score=metrics.get_metric(metric),
        argv=["biobench", "run"],
        commit="0" * 40,
        posix_time=posix_time,
        gpu_name="cpu",
        hostname="node",
        provenance=Provenance(
            protocol={"metric": metric, "probe": "ridge", "seed": training_seed, "n_train": -1}
            | protocol,
            manifest=manifest,
            backbone={"digest": backbone, "n_parameters": 7, "image_size": 224, "dim": 3},
            stages={"load": 0.5, "embed": 1.5, "probe": 0.25},
            skipped=[{"image": "a.jpg", "split": "train", "reason": "truncated"}],
            counts={"n_train": 40, "n_test": n},
            versions={"python": "3.11.0"},
        ),
    )


def with_score_splits(report: TaskReport, splits: dict[str, float]) -> TaskReport:
    """The same report with other sub-scores."""
    return dataclasses.replace(report, splits=splits)


def tell(table):
    """The notes under a leaderboard or a comparison, as a reader sees them."""
    return [note.sentence for note in table.notes]
