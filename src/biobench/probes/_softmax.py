"""Softmax regression's loss over standardised features, and its minimum by preconditioned L-BFGS.

With standardised features of second moment Q diag(λ) Qᵀ, the Hessian of the mean loss is close to
λ_j h_k + 1/(C n) for direction j of Q and class k, where h_k is the mean of p_k (1 - p_k). L-BFGS
(Liu and Nocedal, 1989) runs in coordinates where that is the identity, which spares it most of its
iterations on features as correlated as a network's. Products are in float32, sums in float64.
"""

import concurrent.futures
import dataclasses
import functools
import typing
from collections.abc import Callable

import joblib
import numpy as np
import scipy.optimize
from jaxtyping import Float, Float64, Int64
from sklearn.preprocessing import StandardScaler

from biobench.probes._backend import check_device, one_blas_thread
from biobench.probes._estimator import check_finite, iter_chunks

__all__ = ["Loss", "Rows", "Solution", "minimize"]

# The partial sums of a loss, however many threads there are: what makes them add up to the same.
_N_LANES = 8
# Of Newton's, which is too long: the Hessian is larger where the gradient is.
_FIRST_STEP = 0.5
_LEAST_ROWS = 512
"""of a chunk; its logits are then 20 MB with 10,000 classes."""


@dataclasses.dataclass(frozen=True)
class Solution:
    """Weights of standardised features, and how well they solve the problem."""

    weights: Float64[np.ndarray, "d c"]
    intercept: Float64[np.ndarray, " c"]
    loss: float
    """mean log-loss plus penalty."""
    gradient: float
    """largest element of the gradient of `loss`."""
    excess: float
    """how far `loss` is above its minimum, about: half the square of Newton's decrement."""
    n_evaluations: int

    def is_flat(self, tol: float) -> bool:
        """Whether the gradient is at most `tol`, and `tol` x loss where the loss is below 1."""
        return self.gradient <= tol * min(1.0, self.loss)

    def is_near(self, tol: float) -> bool:
        """Whether the loss is above its minimum by about `tol` of itself, or less."""
        return self.excess <= tol * self.loss


class Rows:
    """Standardised rows of X [n d], kept if they fit `memory_limit` bytes, else made anew.

    They are float32, or float64 where there are so few that it costs nothing.

    order: the rows' order, in which those of a fold are neighbours.
    Raises BadInput for NaN or infinity.
    """

    def __init__(self, X: np.ndarray, order: Int64[np.ndarray, " n"], memory_limit: float):
        self._X, self._order = X, order
        scaler = StandardScaler()
        for rows in iter_chunks(X):
            check_finite(X[rows], rows.start)
            scaler.partial_fit(X[rows].astype(np.float64))
        self.mean, self.scale = scaler.mean_, scaler.scale_
        self.is_large = X.size > 2**20
        # Few examples have no average to drown float32's rounding in, and cost nothing.
        self.dtype = np.dtype(np.float32 if self.is_large else np.float64)
        self._kept: np.ndarray | None = None
        if self.dtype.itemsize * X.size <= memory_limit:
            self._kept = np.empty(X.shape, dtype=self.dtype)
            for rows in iter_chunks(X):
                self._kept[rows] = self._make(order[rows])

    def take(self, index: Int64[np.ndarray, " m"]) -> Float[np.ndarray, "m d"]:
        """Rows at ascending positions of `order`."""
        if self._kept is None:
            return self._make(self._order[index])
        if index[-1] - index[0] + 1 == len(index):
            return self._kept[index[0] : index[-1] + 1]
        return self._kept[index]

    def decompose(self) -> tuple[Float64[np.ndarray, " d"], Float64[np.ndarray, "d d"]]:
        """λ and Q of the second moment, from at most 8 d rows: it only steers the search."""
        n, d = self._X.shape
        index = np.arange(0, n, max(1, n // (8 * d)))
        Z = self.take(index)
        eigenvalues, vectors = np.linalg.eigh((Z.T @ Z).astype(np.float64) / len(Z))
        return np.maximum(eigenvalues, 0), vectors

    def _make(self, rows: np.ndarray) -> np.ndarray:
        return ((self._X[rows] - self.mean) / self.scale).astype(self.dtype)


class Loss:
    """Mean log-loss and its gradient over some of the rows."""

    def __init__(self, rows: Rows, codes: Int64[np.ndarray, " n"], n_classes: int, device: str):
        self._rows, self._codes, self.n_classes, self._device = rows, codes, n_classes, device
        check_device(device)
        if device != "cpu":
            import torch

            self._torch = torch

    def __call__(self, weights, intercept, index: Int64[np.ndarray, " m"], pool):
        """Loss, its gradients [d c] and [c], and the mean of p (1 - p) [c], on rows `index`.

        pool: an executor for the lanes.
        """
        W, b = (a.astype(self._rows.dtype) for a in (weights, intercept))
        if self._device != "cpu":
            W, b = (self._torch.from_numpy(a).to(self._device) for a in (W, b))
        chunks = self._cut(index, len(weights))
        lanes = [chunks[lane::_N_LANES] for lane in range(min(_N_LANES, len(chunks)))]
        work = functools.partial(self._sum_chunks, W, b)
        # Added up as they come, in order: each is as large as all weights.
        sums = functools.reduce(_add_up, pool.map(work, lanes))
        return [total / len(index) for total in sums]

    def score(self, weights, intercept, index, scoring: str) -> float:
        """Accuracy, or minus the mean log-loss, on rows `index`."""
        W, b = (a.astype(self._rows.dtype) for a in (weights, intercept))
        total = 0.0
        for chunk in self._cut(index, len(weights)):
            logits, y = self._rows.take(chunk) @ W + b, self._codes[chunk]
            if scoring == "accuracy":
                total += np.count_nonzero(logits.argmax(axis=1) == y)
            else:
                total += scipy.special.log_softmax(logits, axis=1)[np.arange(len(y)), y].sum()
        return total / len(index)

    def _cut(self, index: np.ndarray, d: int) -> list[np.ndarray]:
        # With very many classes more: a chunk's gradient, however few its rows, is of all weights.
        n_rows = max(_LEAST_ROWS, 2**20 // max(d, self.n_classes))
        return [index[start : start + n_rows] for start in range(0, len(index), n_rows)]

    def _sum_chunks(self, W, b, chunks: list[np.ndarray]):
        add = _add_numpy if self._device == "cpu" else self._add_torch
        parts = None
        for chunk in chunks:
            part = add(self._rows.take(chunk), self._codes[chunk], W, b)
            parts = _widen(part) if parts is None else _add_up(parts, part)
        if self._device == "cpu":
            return parts
        # Only once a lane: what is as large as all weights takes its time on the way.
        return [a.cpu().numpy() for a in parts or ()]

    def _add_torch(self, Z, y, W, b):
        torch = self._torch
        Z = torch.from_numpy(Z).to(self._device)
        y = torch.from_numpy(y).to(self._device)[:, None]
        logits = Z @ W + b
        logits -= logits.max(dim=1, keepdim=True).values
        own = logits.gather(1, y)
        # As on the CPU: 1 - p and log p from the sum of the others.
        p = logits.exp_().scatter_(1, y, 0.0)
        others = p.sum(dim=1, keepdim=True)
        sums = others + own.exp()
        residual = p.scatter_(1, y, -others).div_(sums)
        loss = torch.where(own < 0, sums.log() - own, others.log1p()).sum(dtype=torch.float64)
        h = residual.abs().sum(dim=0, dtype=torch.float64) - (residual**2).sum(dim=0)
        slope = residual.sum(dim=0, dtype=torch.float64)
        return [loss, (Z.T @ residual).double(), slope, h]


def _widen(parts: list) -> list:
    """The first of what is summed, in float64."""
    return [a.astype(np.float64, copy=False) if isinstance(a, np.ndarray) else a for a in parts]


def _add_up(sums: list, more: list) -> list:
    """Both lists of float64 sums added, in the place of the first where that is an array."""
    for i, one in enumerate(more):
        sums[i] += one
    return sums


def _add_numpy(Z, y, W, b):
    p = Z @ W
    p += b
    p -= p.max(axis=1, keepdims=True)
    every = np.arange(len(y))
    own = p[every, y]
    np.exp(p, out=p)
    # What an answer falls short of certainty is the sum of the others: 1 - p, or log p, of a p that
    # rounds to 1 would be lost in float32, and with it the gradient where the loss is small.
    p[every, y] = 0
    others = p.sum(axis=1)
    sums = others + np.exp(own)
    p[every, y] = -others
    p /= sums[:, None]
    loss = np.where(own < 0, np.log(sums) - own, np.log1p(others)).sum(dtype=np.float64)
    slope = p.sum(axis=0, dtype=np.float64)
    h = np.abs(p).sum(axis=0, dtype=np.float64) - np.einsum("ij,ij->j", p, p)
    return [loss, Z.T @ p, slope, h]


def minimize(
    loss: Loss,
    index: Int64[np.ndarray, " m"],
    start: Solution,
    C: float,
    spectrum: tuple[Float64[np.ndarray, " d"], Float64[np.ndarray, "d d"]],
    is_done: Callable[[Solution], bool],
    max_iter: int,
    n_jobs: int | None,
) -> Solution:
    """The minimum of mean log-loss + |weights|² / (2 C m) on rows `index`, from `start`.

    Of two classes the penalty is that of their weights' difference, as in scikit-learn. `is_done`
    says when the minimum is reached.
    """
    n_threads = joblib.effective_n_jobs(n_jobs or 1)
    with one_blas_thread(), concurrent.futures.ThreadPoolExecutor(n_threads) as pool:
        penalty = (2 if loss.n_classes == 2 else 1) / (C * len(index))
        problem = _Problem(loss, index, pool, penalty, spectrum, start)
        if not is_done(problem.best):
            _run_lbfgs(problem, is_done, max_iter)
    return problem.best


class _Problem:
    """The loss in preconditioned coordinates, as moves away from the start."""

    def __init__(self, loss: Loss, index, pool, penalty: float, spectrum, start: Solution):
        self._loss, self._index, self._pool, self._penalty = loss, index, pool, penalty
        self._start = start
        self.best = dataclasses.replace(start, n_evaluations=0, loss=np.inf)
        value, gradient, slope, h = self._evaluate(start.weights, start.intercept)
        eigenvalues, self._basis = spectrum
        # A class that is hardly ever in doubt here may be elsewhere on the way.
        h = np.maximum(h, max(1e-2 * h.mean(), np.finfo(float).tiny))
        self._scale = 1 / np.sqrt(eigenvalues[:, None] * h[None, :] + penalty)
        self._scale_b = 1 / np.sqrt(h)
        flat = self._note(start.weights, start.intercept, value, gradient, slope)
        # L-BFGS-B's first step has length 1.
        self._unit = max(_FIRST_STEP * float(np.linalg.norm(flat)), np.finfo(float).tiny)
        self._first = value, flat * self._unit

    def __call__(self, move: Float64[np.ndarray, " p"]):
        """Loss and gradient after a move."""
        if not move.any():
            return self._first
        d, c = self._scale.shape
        move = move * self._unit
        weights = self._start.weights + self._basis @ (self._scale * move[: d * c].reshape(d, c))
        intercept = self._start.intercept + self._scale_b * move[d * c :]
        # Each of these is as large as all weights; what is not needed meanwhile goes.
        del move
        value, gradient, slope, _ = self._evaluate(weights, intercept)
        return value, self._note(weights, intercept, value, gradient, slope) * self._unit

    def _evaluate(self, weights, intercept) -> tuple[float, typing.Any, typing.Any, typing.Any]:
        value, gradient, slope, h = self._loss(weights, intercept, self._index, self._pool)
        value += 0.5 * self._penalty * (weights**2).sum()
        gradient += self._penalty * weights
        return float(value), gradient, slope, h

    def _note(self, weights, intercept, value, gradient, slope) -> Float64[np.ndarray, " p"]:
        """Keep the point if it is the best so far; returns the gradient in these coordinates."""
        scaled = self._scale * (self._basis.T @ gradient)
        flat = np.concatenate([scaled.ravel(), self._scale_b * slope])
        del scaled
        size = float(max(gradient.max(), -gradient.min(), np.abs(slope).max()))
        excess = 0.5 * float(flat @ flat)
        n_evaluations = self.best.n_evaluations + 1
        # A line search that float32 ends may end on a point that it would not have kept.
        if value <= self.best.loss * (1 + 1e-6):
            self.best = Solution(weights, intercept, value, size, excess, n_evaluations)
        else:
            self.best = dataclasses.replace(self.best, n_evaluations=n_evaluations)
        return flat


def _run_lbfgs(problem: _Problem, is_done: Callable[[Solution], bool], max_iter: int) -> None:
    def stop_when_done(intermediate_result) -> None:
        # The last evaluation of an iteration is the point that it accepts.
        if is_done(problem.best):
            raise StopIteration

    n_parameters = problem.best.weights.size + problem.best.intercept.size
    scipy.optimize.minimize(
        problem,
        np.zeros(n_parameters),
        jac=True,
        method="L-BFGS-B",
        callback=stop_when_done,
        # Our own tolerance decides; these only end a search that float32 can take no further.
        options={"maxiter": max_iter, "maxcor": 10, "ftol": 1e-12, "gtol": 0.0},
    )
