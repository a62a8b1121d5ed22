"""Results of which a site shows every kind of page."""

import dataclasses

import numpy as np

from biobench import results
from results_world import make_report

__all__ = ["HOSTILE", "MODELS", "write_few_shot", "write_suite"]

HOSTILE = '"><img src=x onerror=document.title=1>'
MODELS = ["a", "b", "c", "d", "e", "f", HOSTILE]


def write_suite(root):
    """Seven models, one of them of an evil name, on three tasks; the last lacks one."""
    for t, (task, metric, n_groups) in enumerate(
        (("birds", "mean-score", None), ("flowers", "macro-f1", None), ("moths", "mean-score", 40))
    ):
        for m, name in enumerate(MODELS):
            if (task, name) != ("flowers", HOSTILE):
                made = make_report(
                    n=200,
                    accuracy=0.9 - 0.07 * m,
                    seed=10 * t + m,
                    metric=metric,
                    n_groups=n_groups,
                    manifest=task,
                    backbone=name,
                )
                results.write_run(root, task, ("timm", name), made)


def write_few_shot(root):
    """Three models on two numbers of training examples, with probabilities."""
    for m, name in enumerate("abc"):
        for n_train, share in ((5, 0.7), (50, 0.95)):
            made = make_report(
                n=200, accuracy=share - 0.1 * m, seed=m + n_train, n_train=n_train, backbone=name
            )
            examples = [
                dataclasses.replace(
                    one,
                    info=one.info | {"probability": float(0.2 + 0.6 * one.score + 0.2 * np.sin(i))},
                )
                for i, one in enumerate(made.examples)
            ]
            made = dataclasses.replace(made, examples=examples)
            results.write_run(root, "birds", ("timm", name), made)
