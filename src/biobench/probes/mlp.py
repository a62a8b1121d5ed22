"""A small network for several yes-or-no traits at once, as FishNet's protocol has it.

clf = MultiLabelMlp(random_state=42).fit(x, traits)      # traits: 0/1 [n t]
clf.predict(z)                                           # 0/1 [n t]
"""

import numpy as np
import scipy.special
from jaxtyping import Float, Float32
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.preprocessing import StandardScaler
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import check_is_fitted, check_random_state, validate_data

from biobench.errors import BadInput
from biobench.probes._backend import check_device
from biobench.probes._estimator import check_features, check_finite, iter_chunks

__all__ = ["MultiLabelMlp"]


class MultiLabelMlp(ClassifierMixin, BaseEstimator):
    """Standardise, one hidden layer with dropout, one probability a trait; yes from 0.5.

    FishNet's head (Khan et al., ICCV 2023): 512 hidden units, ReLU, dropout 0.5; binary
    cross-entropy averaged over traits, Adam, a fixed number of epochs.

    device: "cpu", "cuda" or "cuda:N", of the training. The same seed, device and number of threads
        give the same bits.

    Memory: 12 bytes x hidden x (dim + traits), and float32 batches; X is standardised batch by
    batch. Loads torch in `fit` only.
    Attributes: `classes_`: [0, 1] for a matrix of traits, else the two labels; `loss_curve_`.
    """

    joint = True
    deciding = ("hidden", "dropout", "epochs", "batch_size", "learning_rate")

    def __init__(
        self,
        hidden=512,
        dropout=0.5,
        epochs=50,
        batch_size=256,
        learning_rate=1e-3,
        random_state=42,
        device="cpu",
    ):
        self.hidden = hidden
        self.dropout = dropout
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.random_state = random_state
        self.device = device

    @classmethod
    def for_protocol(
        cls, *, seed: int, folds: str, device: str, n_jobs: int, **params: object
    ) -> "MultiLabelMlp":
        """A fresh one as a task's protocol wants it; it has no folds and no jobs."""
        return cls(**{"random_state": seed, "device": device, **params})

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        tags.classifier_tags.multi_label = True
        tags.target_tags.multi_output = True
        return tags

    def fit(self, X, y):
        """Fit on features X [n d] and traits y, 0/1 [n t], or two labels [n].

        Raises BadInput for NaN or infinity in X or where y is neither.
        """
        X, y = validate_data(
            self, X, y, dtype="numeric", ensure_all_finite=False, multi_output=True
        )
        check_classification_targets(y)
        scaler = StandardScaler()
        for rows in iter_chunks(X):
            check_finite(X[rows], rows.start)
            scaler.partial_fit(X[rows].astype(np.float64))
        self._train(X, self._encode(y), scaler)
        self.params_ = {}
        return self

    def predict_proba(self, X) -> Float[np.ndarray, "n t"]:
        """Probability of every trait [n t]; for two labels, of each [n 2]."""
        check_is_fitted(self)
        yes = scipy.special.expit(self._logits(check_features(self, X)))
        return np.column_stack([1 - yes, yes]) if self._is_flat else yes

    def decision_function(self, X):
        """Logits [n t]; for two labels, of the second [n]."""
        check_is_fitted(self)
        logits = self._logits(check_features(self, X))
        return logits[:, 0] if self._is_flat else logits

    def predict(self, X):
        """Traits 0/1 [n t], or labels [n]: yes where the probability is at least 0.5."""
        check_is_fitted(self)
        yes = (self._logits(check_features(self, X)) >= 0).astype(np.int64)
        return self.classes_[yes[:, 0]] if self._is_flat else yes

    def _encode(self, y: np.ndarray) -> Float32[np.ndarray, "n t"]:
        kind = type_of_target(y)
        if kind == "multilabel-indicator":
            self._is_flat, self.classes_ = False, np.array([0, 1])
            return np.asarray(y, dtype=np.float32)
        y = np.asarray(y).reshape(len(y), -1)
        self.classes_ = np.unique(y)
        if y.shape[1] != 1 or len(self.classes_) > 2:
            # scikit-learn's own words, which its callers match.
            raise BadInput(
                "Only binary classification is supported, one label or a 0/1 matrix of traits; "
                f"the type of the target is {kind}."
            )
        if len(self.classes_) < 2:
            raise BadInput(f"All labels are of one class, '{self.classes_[0]}'.")
        self._is_flat = True
        return (y == self.classes_[1]).astype(np.float32)

    def _train(self, X: np.ndarray, y: Float32[np.ndarray, "n t"], scaler: StandardScaler) -> None:
        import torch

        check_device(self.device)
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        devices = [] if self.device == "cpu" else [self.device]
        order = np.random.default_rng(seed)
        self.loss_curve_ = []
        with torch.random.fork_rng(devices=devices):
            torch.manual_seed(seed)
            network = torch.nn.Sequential(
                torch.nn.Linear(X.shape[1], self.hidden),
                torch.nn.ReLU(),
                torch.nn.Dropout(self.dropout),
                torch.nn.Linear(self.hidden, y.shape[1]),
            ).to(self.device)
            optimizer = torch.optim.Adam(network.parameters(), lr=self.learning_rate)
            for _ in range(self.epochs):
                total = 0.0
                rows = order.permutation(len(X))
                for start in range(0, len(X), self.batch_size):
                    batch = np.sort(rows[start : start + self.batch_size])
                    Z = ((X[batch] - scaler.mean_) / scaler.scale_).astype(np.float32)
                    Z, target = (torch.from_numpy(a).to(self.device) for a in (Z, y[batch]))
                    loss = torch.nn.functional.binary_cross_entropy_with_logits(network(Z), target)
                    optimizer.zero_grad()
                    loss.backward()
                    optimizer.step()
                    total += loss.item() * len(batch)
                self.loss_curve_.append(total / len(X))
        first, last = network[0], network[3]
        assert isinstance(first, torch.nn.Linear) and isinstance(last, torch.nn.Linear)
        to = [p.detach().cpu().numpy().astype(np.float64) for p in (first.weight, last.weight)]
        biases = [p.detach().cpu().numpy().astype(np.float64) for p in (first.bias, last.bias)]
        # The scaling moves into the first layer, so that prediction takes features as they come.
        self._first = (to[0] / scaler.scale_).T
        self._first_bias = biases[0] - scaler.mean_ @ self._first
        self._last, self._last_bias = to[1].T, biases[1]

    def _logits(self, X: np.ndarray) -> Float[np.ndarray, "n t"]:
        out = np.empty((len(X), self._last.shape[1]))
        for rows in iter_chunks(X):
            hidden = np.maximum(X[rows] @ self._first + self._first_bias, 0)
            out[rows] = hidden @ self._last + self._last_bias
        return out
