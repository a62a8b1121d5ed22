"""What all probes share: checked inputs, chunked reading, and labels from class scores."""

import inspect
import typing
from collections.abc import Iterator

import numpy as np
import scipy.sparse
from jaxtyping import Float, Int64
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, column_or_1d, validate_data

from biobench.errors import BadInput
from biobench.probes.folds import FoldKind, Folds
from biobench.registry import list_lacking

__all__ = [
    "JointKind",
    "Probe",
    "ProbeKind",
    "check_features",
    "check_finite",
    "check_training_set",
    "find_edges",
    "find_faults",
    "is_joint",
    "iter_chunks",
    "sum_by_class",
]

# 16 MiB in float64: several chunks fit a machine's last-level cache or nearly so.
_CHUNK_ELEMENTS = 2**21


class ProbeKind(typing.Protocol):
    """What can be a probe of that name: a class of scikit-learn's estimators, as `Probe`'s are."""

    deciding: tuple[str, ...]
    """parameters of the constructor that decide the numbers: they are part of a result's identity,
    and the others (of speed, of memory) are not."""
    edges_: dict[str, str]
    """as `Probe`'s."""

    def for_protocol(self, *, seed, folds, device, n_jobs, **params) -> BaseEstimator:
        """Makes the estimator, or a pipeline that ends in it."""
        ...

    def fit(self, X, y):
        """Fits features X [n d] and labels y [n]; sets `classes_` and `params_`."""
        ...

    def class_scores(self, X) -> Float[np.ndarray, "n c"]:
        """Score of every class, higher is likelier."""
        ...

    def predict(self, X):
        """The class [n] of each row."""
        ...

    def get_params(self, deep=True) -> dict:
        """The constructor's arguments, as scikit-learn has it."""
        ...


class JointKind(typing.Protocol):
    """What can be a probe that answers several yes-or-no questions about an example at once."""

    joint: bool
    """True."""
    deciding: tuple[str, ...]
    """as `ProbeKind`'s."""

    def for_protocol(self, *, seed, folds, device, n_jobs, **params) -> BaseEstimator:
        """Makes the estimator."""
        ...

    def fit(self, X, y):
        """Fits features X [n d] and answers y, 0/1 [n t]."""
        ...

    def predict_proba(self, X) -> Float[np.ndarray, "n t"]:
        """Probability of yes of every question."""
        ...

    def predict(self, X):
        """The answers, 0/1 [n t]."""
        ...

    def get_params(self, deep=True) -> dict:
        """The constructor's arguments, as scikit-learn has it."""
        ...


class Probe(ClassifierMixin, BaseEstimator):
    """A classifier that scores every class; subclasses fit and give `_score_classes`.

    A subclass names in `deciding` the parameters of its constructor that decide the numbers.

    Attributes after `fit`: `classes_` [c], `n_features_in_`, `params_`, the hyperparameters it
    chose by name, and, where it chose from a range, `edges_`: "lowest" or "highest" for each that
    lies at an end of it.
    """

    deciding: typing.ClassVar[tuple[str, ...]]
    by_chunk: typing.ClassVar[bool] = False
    """whether `class_scores` of rows in the slices of `iter_chunks` are, to the last bit, those of
    all rows at once; they are then never all held."""
    rejected_label: typing.ClassVar[str | None] = None
    """the label that it gives to what is of no training class, where it gives one."""
    reads_text: typing.ClassVar[bool] = False
    """whether it is fitted on the features of prompts that name the classes, and on no picture."""
    edges_: dict[str, str] = {}  # noqa: RUF012 - set anew by fit, never changed in place

    @classmethod
    def for_protocol(
        cls, *, seed: int, folds: FoldKind, device: str, n_jobs: int, **params: object
    ) -> BaseEstimator:
        """A fresh probe as a task's protocol wants it; params: arguments that differ from that.

        The constructor is given what it has a parameter for: `cv` (five folds), `random_state`,
        `device` and `n_jobs`.
        """
        given = {"cv": Folds(5, folds, seed), "random_state": seed}
        given |= {"device": device, "n_jobs": n_jobs}
        taken = inspect.signature(cls).parameters
        return cls(**{**{name: given[name] for name in given if name in taken}, **params})

    def class_scores(self, X) -> Float[np.ndarray, "n c"]:
        """Score of every class for X [n d], higher is likelier, columns as in `classes_`.

        Raises BadInput when X holds NaN or infinity.
        """
        check_is_fitted(self)
        return self._score_classes(check_features(self, X))

    def decision_function(self, X):
        """`class_scores` [n c]; of two classes, the second's lead [n], as scikit-learn has it."""
        scores = self.class_scores(X)
        return scores[:, 1] - scores[:, 0] if len(self.classes_) == 2 else scores

    def predict(self, X):
        """The best class [n] of X [n d]; the first of equals."""
        best = self.class_scores(X).argmax(axis=1)
        return self.classes_[best]

    def _score_classes(self, X: np.ndarray) -> np.ndarray:
        raise NotImplementedError


def find_faults(name: str, cls: typing.Any) -> list[str]:
    """What a class lacks to be a probe, in words; empty where nothing."""
    if not isinstance(cls, type):
        return ["it is no class"]
    lacking = list_lacking(cls, JointKind if is_joint(cls) else ProbeKind)
    if issubclass(cls, Probe):
        own = {name for base in cls.__mro__[: cls.__mro__.index(Probe)] for name in vars(base)}
        if not {"_score_classes", "class_scores"} & own:
            lacking.append("_score_classes")
    if lacking:
        return [f"it has no {', '.join(lacking)}"]
    unknown = [name for name in cls.deciding if name not in inspect.signature(cls).parameters]
    if unknown:
        return [f"its constructor takes no {', '.join(unknown)}, which `deciding` names"]
    return []


def is_joint(cls: typing.Any) -> bool:
    """Whether a class is a probe of `JointKind`, in place of one of `ProbeKind`."""
    return getattr(cls, "joint", False)


def check_training_set(estimator: BaseEstimator, X, y) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The features [n d], as they are stored; the classes [c]; each row's class as int64 [n].

    Finiteness is left to the caller, which reads the features anyway (`check_finite`).
    Raises BadInput when the lengths differ or there is one class only; ValueError or TypeError, as
    scikit-learn does, for anything else that is no training set.
    """
    _check_lengths(X, y)
    X, y = validate_data(estimator, X, y, dtype="numeric", ensure_all_finite=False)
    y = column_or_1d(y, warn=True)
    check_classification_targets(y)
    classes, codes = np.unique(y, return_inverse=True)
    if len(classes) < 2:
        raise BadInput(
            f"All {len(y)} training labels are of one class, '{classes[0]}', "
            f"but {type(estimator).__name__} needs at least two."
        )
    return X, classes, codes.astype(np.int64)


def check_features(estimator: BaseEstimator, X) -> np.ndarray:
    """X [n d] for a fitted estimator, as it is stored.

    Raises BadInput naming the first rows with NaN or infinity.
    """
    X = validate_data(estimator, X, dtype="numeric", ensure_all_finite=False, reset=False)
    for rows in iter_chunks(X):
        check_finite(X[rows], rows.start)
    return X


def check_finite(chunk: np.ndarray, first_row: int = 0) -> None:
    """Raise BadInput naming the first rows of a chunk [n d] that hold NaN or infinity."""
    if chunk.dtype.kind != "f" or np.isfinite(chunk.sum(dtype=np.float64)):
        return
    bad = np.flatnonzero(~np.isfinite(chunk).all(axis=1))
    if len(bad) == 0:
        return
    named = ", ".join(str(first_row + row) for row in bad[:5])
    more = " and more" if len(bad) > 5 else ""
    raise BadInput(
        f"Input X contains NaN or infinity in row {named}{more}; leave those examples out or embed "
        f"them again."
    )


def find_edges(
    name: str,
    chosen: float,
    grid: Float[np.ndarray, " g"],
    scores: Float[np.ndarray, " g"],
    was_chosen: bool,
) -> dict[str, str]:
    """Whether a hyperparameter lies at an end of its grid, so that a better one may lie beyond.

    A grid of one value, or on which all scores are the same, has no such end.
    """
    if not was_chosen or len(grid) < 2 or np.ptp(scores) < 1e-12:
        return {}
    if chosen == grid.min():
        return {name: "lowest"}
    return {name: "highest"} if chosen == grid.max() else {}


def iter_chunks(X: np.ndarray) -> Iterator[slice]:
    """Consecutive slices of rows, small enough to be worked on in float64."""
    n_rows = max(1, _CHUNK_ELEMENTS // max(1, X.shape[1]))
    for start in range(0, X.shape[0], n_rows):
        yield slice(start, min(start + n_rows, X.shape[0]))


def sum_by_class(
    chunk: Float[np.ndarray, "n d"],
    codes: Int64[np.ndarray, " n"],
    n_classes: int,
    weights: Float[np.ndarray, " n"] | None = None,
) -> Float[np.ndarray, "c d"]:
    """Weighted sum of each class's rows."""
    n = len(codes)
    values = np.ones(n) if weights is None else weights
    indicator = scipy.sparse.csr_array((values, codes, np.arange(n + 1)), shape=(n, n_classes))
    return indicator.T @ chunk


def _check_lengths(X, y) -> None:
    # Only arrays: whatever else comes is scikit-learn's to refuse.
    both = isinstance(X, np.ndarray) and isinstance(y, np.ndarray) and X.ndim > 0 and y.ndim > 0
    if both and len(X) != len(y):
        raise BadInput(f"There are {len(X)} rows of features but {len(y)} labels.")
