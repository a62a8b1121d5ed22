"""Do probabilities mean what they say? Reliability, and the risk at each coverage.

    figures = draw_calibration(subject, task)       # none where no run keeps probabilities

Reliability: Guo et al., ICML 2017. Risk and coverage: Geifman and El-Yaniv, NeurIPS 2017.
"""

from collections.abc import Sequence

import numpy as np
import polars as pl
from jaxtyping import Bool, Float64

from biobench import results
from biobench.errors import BadInput
from biobench.report.site.charts import DIM, SERIES, Figure, draw, name_axis
from biobench.report.site.shares import wilson
from biobench.report.site.subject import Run, Subject

__all__ = ["draw_calibration", "find_reliability", "find_risk"]

MAX_MODELS = 4
N_BINS = 10
N_STEPS = 60
"""points of a curve of risk."""


def draw_calibration(subject: Subject, task: str) -> list[Figure]:
    """Two figures of the best models whose runs keep probabilities."""
    found = {}
    for cell in subject.rank_cells(task):
        for run in subject.list_runs(task=task, model=cell.model)[:1]:
            read = _read(run)
            if read is not None and len(found) < MAX_MODELS:
                found[cell.model] = read
    if not found:
        return []
    return [_draw_reliability(found), _draw_risk(found)]


def _read(run: Run) -> tuple[Float64[np.ndarray, " n"], Bool[np.ndarray, " n"]] | None:
    if not run.report["has_predictions"]:
        return None
    try:
        table = results.read_predictions(run.path, ["y_true", "y_pred", "probability"])
    except (BadInput, pl.exceptions.PolarsError):
        return None
    if "probability" not in table.columns:
        return None
    # A picture that could not be read has no probability.
    table = table.drop_nulls(["probability", "y_pred"])
    if not table.height:
        return None
    right = (table["y_true"].cast(pl.String) == table["y_pred"].cast(pl.String)).to_numpy()
    return table["probability"].to_numpy().astype(np.float64), right


def find_reliability(
    probability: Float64[np.ndarray, " n"], right: Bool[np.ndarray, " n"]
) -> list[dict[str, float]]:
    """Of ten bins of equal width: mean probability, the share that is right, its interval, n."""
    bins = np.minimum((probability * N_BINS).astype(int), N_BINS - 1)
    rows = []
    for b in range(N_BINS):
        here = bins == b
        n = int(here.sum())
        if n:
            share = float(right[here].mean())
            low, high = wilson(share, n)
            x = float(probability[here].mean())
            rows.append({"x": x, "y": share, "ci_low": low, "ci_high": high, "n": n})
    return rows


def find_risk(
    probability: Float64[np.ndarray, " n"], right: Bool[np.ndarray, " n"]
) -> list[dict[str, float]]:
    """The share that is wrong among the most probable ones, at growing coverage."""
    order = np.argsort(-probability, kind="stable")
    wrong = np.cumsum(~right[order]) / np.arange(1, len(order) + 1)
    picks = np.unique(np.linspace(0, len(order) - 1, min(N_STEPS, len(order))).round().astype(int))
    return [{"x": float((i + 1) / len(order)), "y": float(wrong[i])} for i in picks]


def _color(models: Sequence[str]) -> dict[str, object]:
    return {
        "field": "model",
        "type": "nominal",
        "title": None,
        "scale": {"domain": list(models), "range": list(SERIES[: len(models)])},
        "legend": {"orient": "bottom", "columns": 1},
    }


def _draw_reliability(found: dict) -> Figure:
    values = [
        row | {"model": model, "tip": f"{model}: {row['y']:.3f} right of {row['n']:,}"}
        for model, read in found.items()
        for row in find_reliability(*read)
    ]
    unit = {"domain": [0, 1]}
    x = {"field": "x", **name_axis("probability of the prediction", scale=unit)}
    y = name_axis("share that is right", scale=unit)
    color, data = _color(list(found)), {"values": values}
    return draw(
        [
            {
                "data": {"values": [{"x": 0, "y": 0}, {"x": 1, "y": 1}]},
                "mark": {"type": "line", "color": DIM, "strokeDash": [4, 4]},
                "encoding": {"x": x, "y": {"field": "y", **y}},
            },
            {
                "data": data,
                "mark": {"type": "rule", "opacity": 0.6},
                "encoding": {
                    "x": x,
                    "y": {"field": "ci_low", **y},
                    "y2": {"field": "ci_high"},
                    "color": color,
                },
            },
            {
                "data": data,
                "mark": {"type": "line", "point": {"size": 50}},
                "encoding": {
                    "x": x,
                    "y": {"field": "y", **y},
                    "color": color,
                    "description": {"field": "tip"},
                },
            },
        ],
        id="reliability",
        label="Share that is right by probability of the prediction",
        caption="On the dashed line a probability means what it says; below it a model is too "
        "sure. Upright lines are 95% intervals.",
        width=420,
        height=320,
    )


def _draw_risk(found: dict) -> Figure:
    values = [row | {"model": model} for model, read in found.items() for row in find_risk(*read)]
    x = {"field": "x", **name_axis("coverage: share of pictures that are answered")}
    y = {"field": "y", **name_axis("risk: share of the answers that are wrong")}
    return draw(
        [
            {
                "data": {"values": values},
                "mark": {"type": "line"},
                "encoding": {"x": x, "y": y, "color": _color(list(found))},
            }
        ],
        id="risk",
        label="Share of wrong answers by coverage",
        caption="If only the most probable predictions are kept and the rest are left to people.",
        width=420,
        height=320,
    )
