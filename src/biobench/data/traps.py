"""Leaks between training and test, and labels that are not what they seem: counted, one word each.

    traps = find_traps(table, contents)      # a list of Trap, most of them absent from good data
    shared = find_shared(table, contents)    # test examples whose picture is in training, too

`table` is a manifest's, with the rows of training and of one test split; where its column `fold` is
not null, an example is tested by a probe that was trained on the other folds. `contents` gives the
hash of a picture's content; without one, a picture is its path.
"""

import collections
import dataclasses
import posixpath
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import polars as pl
from jaxtyping import Num

from biobench.data.picture_files import show_name, show_names

__all__ = [
    "Trap",
    "find_shared",
    "find_torn",
    "find_traps",
    "find_vector_traps",
    "find_voting_trap",
    "with_side",
]

MISSING = frozenset({"", "nan", "none", "null", "na", "n/a", "<na>", "#n/a", "nat", "nil"})
"""labels, in lower case, that programs write where a value is missing."""

_KEYS = ("subtask", "example")
_BLOCK_ROWS = 4096


@dataclasses.dataclass(frozen=True)
class Trap:
    """One kind of trouble in the data."""

    kind: str
    """what is counted, in the plural: the name of the count in a report."""
    n: int
    examples: tuple[str, ...]
    """the first of them."""
    sentence: str


def find_traps(
    table: pl.DataFrame,
    contents: Mapping[str, str] | None = None,
    rejects: str | None = None,
    *,
    trained: bool = True,
) -> list[Trap]:
    """Every leak and label trap that the manifest's columns and the contents show.

    table: columns image, example, split, label, subtask, group, and fold where there are folds.
    contents: image -> hash of its bytes, for as many images as are known.
    rejects: the label of what is of no training class, where a probe can say so.
    trained: whether the classes that can be predicted are those of training.
    """
    examples = _list_examples(table)
    labels = table["label"].unique(maintain_order=True).to_list()
    found = [
        _find_shared_pictures(table, contents),
        _find_torn(examples, "group", "groups"),
        _find_untrained(examples.filter(pl.col("label").ne_missing(rejects))) if trained else None,
        _find_alike(labels),
        _find_numbers(labels),
        _find_missing(examples),
    ]
    return [trap for trap in found if trap is not None]


def find_shared(table: pl.DataFrame, contents: Mapping[str, str] | None = None) -> pl.DataFrame:
    """The test examples (subtask, example) with a picture that a training example has, too."""
    contents = contents or {}
    images = table["image"].unique(maintain_order=True).to_list()
    # A hash has no slash in front, so none is taken for a path.
    names = [contents.get(image) or f"/{posixpath.normpath(image)}" for image in images]
    keys = pl.DataFrame({"image": images, "content": names}, schema_overrides={"image": pl.String})
    rows = with_side(table).join(keys, on="image", maintain_order="left")
    return _on_both_sides(rows, "content").select(_KEYS).unique(maintain_order=True)


def find_torn(table: pl.DataFrame, column: str) -> Trap | None:
    """Values of a column (camera, sequence) that are in training and in the test, if there are."""
    text = table.with_columns(pl.col(column).cast(pl.String))
    return _find_torn(_list_examples(text), column, f"values of '{column}'")


def find_voting_trap(n_train: Mapping[str, int], k: int) -> Trap | None:
    """Subtasks with fewer training examples than the k neighbours that should vote."""
    few = [name for name, n in n_train.items() if n < k]
    if not few:
        return None
    where = f" in {len(few):,} of {len(n_train):,} subtasks" if len(n_train) > 1 else ""
    fewest = min(n_train[name] for name in few)
    return _make(
        "subtasks with fewer training examples than neighbours",
        few,
        f"The probe asks {k} neighbours, but there are only {fewest:,} training examples{where}: "
        "all of them vote on every picture.",
        show=False,
    )


def find_vector_traps(
    trained: Mapping[str, Num[np.ndarray, "_n d"]], counted: Iterable[Num[np.ndarray, "_n d"]]
) -> list[Trap]:
    """Vectors that are zero, and problems in which all are equal, so that nothing can be learnt.

    trained: training vectors by the problem's name; counted: all vectors, in blocks.
    """
    n, n_zero = 0, 0
    for x in counted:
        n += len(x)
        n_zero += int((~x.any(axis=1)).sum())
    equal = [name for name, x in trained.items() if len(x) > 1 and _are_equal(x)]
    traps = []
    if n_zero:
        text = (
            f"{n_zero:,} of {n:,} feature vectors are all zeros; look at what makes the features."
        )
        traps.append(Trap("feature vectors of zeros", n_zero, (), text))
    if equal:
        where = f" in {len(equal):,} problems ({show_names(equal)})" if equal != [""] else ""
        text = f"All training vectors are equal{where}: the score says nothing of the pictures."
        kind = "problems whose training vectors are all equal"
        traps.append(Trap(kind, len(equal), tuple(equal[:3]), text))
    return traps


def _are_equal(x: Num[np.ndarray, "n d"]) -> bool:
    # Most rows differ from the first within the first of the blocks.
    blocks = range(0, len(x), _BLOCK_ROWS)
    return all((x[first : first + _BLOCK_ROWS] == x[0]).all() for first in blocks)


def _find_shared_pictures(table: pl.DataFrame, contents: Mapping[str, str] | None) -> Trap | None:
    shared = find_shared(table, contents)["example"].to_list()
    return _make(
        "test examples with a picture that is in training",
        shared,
        "{n} test examples have a picture that is in training, too ({shown}); the score without "
        "them is given beside.",
    )


def _list_examples(table: pl.DataFrame) -> pl.DataFrame:
    return with_side(table).unique(_KEYS, keep="first", maintain_order=True)


def _find_torn(examples: pl.DataFrame, column: str, what: str) -> Trap | None:
    if examples[column].eq_missing(examples["label"]).all():
        # The classes themselves are the groups (individuals to be found again): they are in both.
        return None
    torn = _on_both_sides(examples.filter(pl.col(column).is_not_null()), column)
    groups = torn[column].unique(maintain_order=True).to_list()
    return _make(
        f"{what} in training and in test",
        groups,
        f"{{n}} {what} are in training and in test ({{shown}}), with {torn.height:,} test "
        "examples: what was learnt of a group is asked again.",
    )


def _find_untrained(examples: pl.DataFrame) -> Trap | None:
    tests = examples.filter(pl.col("tested"))
    both = _on_both_sides(examples, "label").select(_KEYS)
    alone = tests.join(both, on=_KEYS, how="anti", nulls_equal=True, maintain_order="left")
    labels = alone["label"].unique(maintain_order=True).to_list()
    return _make(
        "test classes that training lacks",
        labels,
        f"{{n}} classes of the test are not in training ({{shown}}): their {alone.height:,} "
        "examples cannot be right.",
    )


def _find_alike(labels: Sequence[str]) -> Trap | None:
    return _make_of_sets(
        "labels that differ only in writing",
        _group(labels, _fold_writing),
        "{n} labels differ from another only by space, case or Unicode form ({shown}) and are "
        "classes of their own; write them alike if they are one.",
    )


def _find_numbers(labels: Sequence[str]) -> Trap | None:
    return _make_of_sets(
        "labels that are one number",
        _group(labels, _read_number),
        "{n} labels are the same number as another ({shown}) and are classes of their own; write "
        "them alike if they are one.",
    )


def _find_missing(examples: pl.DataFrame) -> Trap | None:
    missing = pl.col("label").str.strip_chars().str.to_lowercase().is_in(list(MISSING))
    rows = examples.filter(missing)
    return _make(
        "classes that read as a missing value",
        rows["label"].unique(maintain_order=True).to_list(),
        f"{{n}} classes read as a missing value ({{shown}}), with {rows.height:,} examples; fill "
        "the labels in or remove the rows if they are.",
    )


def with_side(table: pl.DataFrame) -> pl.DataFrame:
    """With `side`, what a probe is trained on or not, and `tested`."""
    if "fold" in table.columns and table["fold"].null_count() == 0:
        return table.with_columns(pl.col("fold").cast(pl.String).alias("side"), tested=pl.lit(True))
    is_train = pl.col("split") == "train"
    side = pl.when(is_train).then(pl.lit("train")).otherwise(pl.lit("test")).alias("side")
    return table.with_columns(side, tested=~is_train)


def _on_both_sides(rows: pl.DataFrame, column: str) -> pl.DataFrame:
    """The tested rows whose value of `column` some other side has, in their subtask."""
    sides = rows.group_by("subtask", column).agg(pl.col("side").n_unique().alias("n_sides"))
    both = sides.filter(pl.col("n_sides") > 1).select("subtask", column)
    tested = rows.filter(pl.col("tested"))
    return tested.join(
        both, on=["subtask", column], how="semi", nulls_equal=True, maintain_order="left"
    )


def _group(labels: Sequence[str], key) -> list[list[str]]:
    """Labels with one key, where there are several."""
    sets = collections.defaultdict(list)
    for label in labels:
        if (value := key(label)) is not None:
            sets[value].append(label)
    return [sorted(alike) for alike in sets.values() if len(alike) > 1]


def _fold_writing(label: str) -> str:
    """The label without what an eye does not see: form, case, space, marks of direction."""
    text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", label).casefold())
    text = "".join(char for char in text if unicodedata.category(char) != "Cf")
    return " ".join(text.replace("_", " ").split())


def _read_number(label: str) -> float | None:
    text = label.strip()
    return float(text) if re.fullmatch(r"[+-]?[0-9]+(\.[0-9]*)?", text) else None


def _make_of_sets(kind: str, sets: list[list[str]], sentence: str) -> Trap | None:
    shown = [" and ".join(f"'{show_name(label)}'" for label in alike) for alike in sets]
    n = sum(len(alike) - 1 for alike in sets)
    if not n:
        return None
    text = sentence.format(
        n=f"{n:,}", shown="; ".join(shown[:3]) + ("; …" if len(shown) > 3 else "")
    )
    return Trap(kind, n, tuple(shown[:3]), text)


def _make(kind: str, items: Sequence[str], sentence: str, *, show: bool = True) -> Trap | None:
    if not items:
        return None
    # Names may hold braces: they go in last.
    if show:
        sentence = sentence.replace("{n}", f"{len(items):,}").replace("{shown}", show_names(items))
    return Trap(kind, len(items), tuple(items[:3]), sentence)
