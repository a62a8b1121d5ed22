"""Whether a published number holds together: its interval, and what is known of its task.

    ci, doubts = judge("fishnet", 0.65, 0.50, 0.51)
    doubts          # {"outside": "…", "wrong": "…"}

A doubt is a kind and a sentence without numbers, so that those of many runs are one note.
"""

import json
import math

from biobench.results.published.known_facts import WRONG

__all__ = [
    "BARE",
    "KINDS",
    "REPEATED",
    "WRONG_TASK",
    "describe",
    "get_doubts",
    "get_number",
    "judge",
]

TOLERANCE = 1e-9

BARE = (
    "Published without predictions: score and interval are those of the file, and nothing can be "
    "recomputed or tested."
)
"""what a report says that holds nothing but what was published."""

OUTSIDE, SWAPPED, NO_INTERVAL, WRONG_TASK, REPEATED = KINDS = (
    "outside",
    "swapped",
    "no interval",
    "wrong",
    "repeated",
)
"""what may be the matter with a published score."""

_SENTENCES = {
    OUTSIDE: "The published score lies outside its own published interval.",
    SWAPPED: "The ends of the published interval are swapped, so that it is not shown.",
    NO_INTERVAL: "There is no published interval of two finite numbers.",
    REPEATED: "The published file has another score of the same model and task; the first is kept.",
}


def judge(
    task: str, score: float, low: float | None, high: float | None
) -> tuple[tuple[float, float] | None, dict[str, str]]:
    """The interval that can be shown, if any, and what is the matter with it and its score."""
    doubts = describe(WRONG_TASK, task) if task in WRONG else {}
    if low is None or high is None:
        return None, doubts | describe(NO_INTERVAL)
    if low > high:
        return None, doubts | describe(SWAPPED)
    if not low - TOLERANCE <= score <= high + TOLERANCE:
        doubts |= describe(OUTSIDE)
    return (low, high), doubts


def describe(kind: str, task: str = "") -> dict[str, str]:
    """A doubt and its sentence."""
    if kind == WRONG_TASK:
        return {kind: f"Published scores on {task} are known to be wrong: {WRONG[task]}."}
    return {kind: _SENTENCES[kind]}


def get_number(value: object) -> float | None:
    """A finite number, or None where `value` is none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    # An integer may have more digits than a float can hold.
    number = float(value) if abs(value) < 1e300 else math.inf
    return number if math.isfinite(number) else None


def get_doubts(published: str | None) -> dict[str, str]:
    """The doubts in the `published` of a report (JSON text, as a scan has it)."""
    if not published:
        return {}
    doubts = json.loads(published).get("doubts")
    return {str(k): str(v) for k, v in doubts.items()} if isinstance(doubts, dict) else {}
