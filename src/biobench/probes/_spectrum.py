"""Ridge regression for every penalty at once, from one eigendecomposition.

Standardised features Z = (X - mean) / scale with ZᵀZ = Q diag(λ) Qᵀ have the ridge solution
Q (λ + α)⁻¹ Qᵀ Zᵀ(Y - ȳ) for every penalty α. So predictions are (P * g(α)) @ V + ȳ, where
P = (X - mean) @ basis, V = QᵀZᵀ(Y - ȳ) and g = 1 / (λ + α).

R² averaged over targets needs no predictions either. With u = 1 / SST of each target, the sum over
targets of SSE / SST is a quadratic form in g alone,

    Σ u tᵀt - 2 gᵀr + gᵀ (M ∘ K) g,    M = Qᵀ ZᵥᵀZᵥ Q,    K = V diag(u) Vᵀ,

so that a penalty costs d² instead of d² x classes.
"""

import dataclasses
import typing

import numpy as np

from biobench.probes._backend import Backend
from biobench.probes._moments import Moments

__all__ = ["Spectrum", "from_moments", "from_rows", "score_r2"]


@dataclasses.dataclass(frozen=True)
class Spectrum:
    """All ridge solutions on one training part; arrays live on the backend."""

    eigenvalues: typing.Any
    """λ [r]"""
    basis: typing.Any
    """[d r]"""
    targets: typing.Any
    """V [r c]"""
    mean: typing.Any
    """of the training features, about the shift [d]"""
    scale: typing.Any
    """[d]"""
    y_mean: typing.Any
    """[c]"""
    same: typing.Any
    """targets that do not vary in training [c]"""

    def shrink(self, alphas):
        """g [n_alphas r]; directions without training variance get nothing."""
        largest = self.eigenvalues.max()
        kept = self.eigenvalues > largest * len(self.eigenvalues) * np.finfo(np.float64).eps
        return kept / (self.eigenvalues[None, :] * kept + alphas[:, None])

    def coef(self, g):
        """Weights [d c] of the features as they come, for one row g [r] of `shrink`."""
        return self.basis @ (g[:, None] * self.targets)


def from_moments(train: Moments, shift, backend: Backend) -> Spectrum:
    """Primal: from d x d moments, whatever the number of rows."""
    w = train.weight
    mean, y_mean = train.x / w, train.y / w
    centered = train.xx - w * mean[:, None] * mean[None, :]
    scale, constant = _scale(centered.diagonal() / w, mean, shift, train.n_rows)
    varying = (~constant) / scale
    gram = centered * varying[:, None] * varying[None, :]
    xy = (train.xy - w * mean[:, None] * y_mean[None, :]) * varying[:, None]
    eigenvalues, vectors = backend.eigh(gram)
    same = _sst(train) <= _tolerance(train)
    basis = vectors / scale[:, None]
    return Spectrum(eigenvalues, basis, vectors.T @ xy, mean, scale, y_mean, same)


def from_rows(X, y, shift, weights, backend: Backend) -> Spectrum:
    """Dual: from n x n products of the rows X [n d] and targets y [n c], where n < d."""
    w = weights / weights.sum()
    X = X - shift
    mean, y_mean = w @ X, w @ y
    Z, t = X - mean, y - y_mean
    scale, constant = _scale(w @ Z**2, mean, shift, len(X))
    root = weights[:, None] ** 0.5
    Z = Z * ((~constant) / scale) * root
    eigenvalues, vectors = backend.eigh(Z @ Z.T)
    same = (w @ t**2) <= 1e-12 * (w @ y**2)
    basis = (Z.T @ vectors) / scale[:, None]
    return Spectrum(eigenvalues, basis, vectors.T @ (t * root), mean, scale, y_mean, same)


def score_r2(spectrum: Spectrum, test: Moments, alphas):
    """R² [n_alphas] on the test part, averaged over targets, of a spectrum `from_moments`.

    As scikit-learn's `r2_score` has it, a target that does not vary in the test part scores 1 when
    it is predicted exactly and 0 otherwise.
    """
    w, mean, y_mean = test.weight, spectrum.mean, spectrum.y_mean
    x = test.x - w * mean
    gram = test.xx - mean[:, None] * test.x[None, :] - x[:, None] * mean[None, :]
    xt = test.xy - mean[:, None] * test.y[None, :] - x[:, None] * y_mean[None, :]
    tt = test.yy - 2 * y_mean * test.y + w * y_mean**2
    sst = _sst(test)
    varies = sst > _tolerance(test)
    u = varies / (sst + ~varies)

    V, basis = spectrum.targets, spectrum.basis
    quadratic = (basis.T @ gram @ basis) * ((V * u[None, :]) @ V.T)
    linear = (V * (basis.T @ xt) * u[None, :]).sum(1)
    g = spectrum.shrink(alphas)
    errors = (tt * u).sum() - 2 * (g @ linear) + ((g @ quadratic) * g).sum(1)
    exact = (~varies & spectrum.same & (tt <= _tolerance(test))).sum()
    return (varies.sum() - errors + exact) / len(u)


def _sst(moments: Moments):
    return moments.yy - moments.y**2 / moments.weight


def _tolerance(moments: Moments):
    return 1e-12 * moments.yy


def _scale(variance, mean, shift, n: int):
    # scikit-learn's StandardScaler calls a feature constant below the rounding of its variance.
    # Here that is also the rounding of moments about `shift`: a feature that is zero in training
    # and not elsewhere has a mean of -shift, and would be blown up by its noise.
    eps = np.finfo(np.float64).eps
    constant = variance <= (n * eps * (mean + shift)) ** 2 + n * eps * mean**2
    return (variance * ~constant + constant) ** 0.5, constant
