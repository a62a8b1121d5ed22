"""LayerNorm and a linear layer, trained by AdamW for a fixed number of steps.

    clf = AdamWHead(random_state=42).fit(x, y)
    clf.loss_curve_                             # of each step's batch, before the step

The head of the preset "2026" (docs/protocols.md). On a CPU it is written out in NumPy, so that the
weights' gradient gives those of the normalisation, too, without the product that autograd would
take for them; on CUDA it is torch's own layers under autocast.
"""

import concurrent.futures
import contextlib
import dataclasses
import math
import typing
from collections.abc import Callable, Iterable, Iterator

import joblib
import numpy as np
import scipy.special
from jaxtyping import Float, Float32, Int64
from sklearn.utils.validation import check_random_state

from biobench.probes._backend import check_device, one_blas_thread
from biobench.probes._estimator import Probe, check_finite, check_training_set, iter_chunks

__all__ = ["AdamWHead"]

EPSILON = 1e-5
"""of LayerNorm's variance, as torch has it."""
BETAS = 0.9, 0.999
TINY = 1e-8
"""AdamW's, as torch has it."""

_LANE = 256
"""rows of a batch that are worked on together, however many threads there are."""
_LOSS_SCALE = 1024.0
"""of half precision: a residual of a batch of 2,048 neither vanishes nor overflows."""


class AdamWHead(Probe):
    """Softmax regression on layer-normalised features, by AdamW (Loshchilov and Hutter, ICLR 2019).

    LayerNorm with gain and bias (Ba et al., arXiv 1607.06450), a linear layer with bias, mean
    cross-entropy. Batches are drawn without replacement from a pass over the examples, whose order
    is drawn anew for each pass; the last batch of a pass is what is left. The rate falls by a
    cosine to `final` of itself over all steps. Weight decay is on the linear layer's weights only.

    n_steps: in all, however many examples there are.
    device: "cpu" (all float32), "cuda" or "cuda:N" (products in float16, all else float32).
    n_jobs: threads, -1 for all cores; on a CPU the result is the same bits for any number. CUDA
        follows torch.

    Drawn from the seed, by NumPy's default generator: the weights [c d], then the biases [c], each
    uniform within 1 / sqrt(d) of 0, as torch's linear layer has it; then the order of each pass.
    X is read batch by batch, memory-mapped or not. Memory: 16 bytes x classes x dim, and 4 bytes x
    batch_size x (classes + dim).
    Attributes: `weights_` [c d], `biases_` [c], `gain_` [d], `shift_` [d], `loss_curve_` [n_steps].
    """

    deciding = ("n_steps", "batch_size", "learning_rate", "final", "weight_decay")
    by_chunk = True

    def __init__(
        self,
        n_steps=10_000,
        batch_size=2048,
        learning_rate=3e-4,
        final=0.01,
        weight_decay=1e-2,
        random_state=42,
        device="cpu",
        n_jobs=None,
    ):
        self.n_steps = n_steps
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.final = final
        self.weight_decay = weight_decay
        self.random_state = random_state
        self.device = device
        self.n_jobs = n_jobs

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        # Its checks have two features, of which LayerNorm leaves one bit.
        tags.classifier_tags.poor_score = True
        return tags

    def fit(self, X, y):
        """Fit on features X [n d] and labels y [n].

        Raises BadInput for NaN or infinity, one class only, unequal lengths, or without the device.
        """
        X, self.classes_, codes = check_training_set(self, X, y)
        check_device(self.device)
        for rows in iter_chunks(X):
            check_finite(X[rows], rows.start)
        rng = np.random.default_rng(_draw_seed(self.random_state))
        head = _Head.draw(len(self.classes_), X.shape[1], rng)
        batches = _iter_batches(len(X), self.batch_size, self.n_steps, rng)
        rates = [
            self.learning_rate
            * (self.final + (1 - self.final) * (1 + math.cos(math.pi * t / self.n_steps)) / 2)
            for t in range(self.n_steps)
        ]
        task = _Task(X, codes, batches, rates, self.weight_decay)
        if self.device == "cpu":
            n_threads = joblib.effective_n_jobs(self.n_jobs or 1)
            self.loss_curve_ = _train(head, task, min(self.batch_size, len(X)), n_threads)
        else:
            self.loss_curve_ = _train_torch(head, task, self.device, half=True)
        self.weights_, self.biases_ = head.weights, head.biases
        self.gain_, self.shift_ = head.gain, head.shift
        self.params_ = {}
        return self

    def predict_proba(self, X) -> Float[np.ndarray, "n c"]:
        """Probability of every class."""
        return self.class_scores(X)

    def _score_classes(self, X: np.ndarray) -> Float[np.ndarray, "n c"]:
        out = np.empty((len(X), len(self.classes_)))
        for rows in iter_chunks(X):
            x = _normalize(X[rows]) * self.gain_ + self.shift_
            logits = (x @ self.weights_.T + self.biases_).astype(np.float64)
            out[rows] = scipy.special.softmax(logits, axis=1)
        return out


@dataclasses.dataclass
class _Head:
    """What is trained; changed in place."""

    weights: Float32[np.ndarray, "c d"]
    biases: Float32[np.ndarray, " c"]
    gain: Float32[np.ndarray, " d"]
    shift: Float32[np.ndarray, " d"]

    @classmethod
    def draw(cls, n_classes: int, dim: int, rng: np.random.Generator) -> "_Head":
        bound = 1 / math.sqrt(dim)
        drawn = [rng.uniform(-bound, bound, size) for size in ((n_classes, dim), (n_classes,))]
        weights, biases = (values.astype(np.float32) for values in drawn)
        return cls(weights, biases, np.ones(dim, np.float32), np.zeros(dim, np.float32))


@dataclasses.dataclass(frozen=True)
class _Task:
    """What a head is trained on, batch by batch."""

    X: np.ndarray
    codes: Int64[np.ndarray, " n"]
    batches: Iterator[Int64[np.ndarray, " b"]]
    rates: list[float]
    decay: float


def _draw_seed(random_state) -> int:
    """An integer is its own; what else scikit-learn takes is asked for one."""
    if isinstance(random_state, int | np.integer):
        return int(random_state)
    return int(check_random_state(random_state).randint(2**31 - 1))


def _iter_batches(
    n: int, size: int, steps: int, rng: np.random.Generator
) -> Iterator[Int64[np.ndarray, " b"]]:
    """The rows of each step, ascending, as a memory map is read best."""
    done = 0
    while done < steps:
        order = rng.permutation(n)
        for start in range(0, min(n, size * (steps - done)), size):
            yield np.sort(order[start : start + size])
            done += 1


def _normalize(x: np.ndarray) -> Float32[np.ndarray, "b d"]:
    """Each row less its mean, over its deviation: LayerNorm without gain and bias."""
    x = x.astype(np.float32)
    x -= x.mean(axis=1, keepdims=True)
    variance = np.einsum("ij,ij->i", x, x) / x.shape[1]
    x /= np.sqrt(variance + EPSILON)[:, None]
    return x


def _train(head: _Head, task: _Task, batch_size: int, n_threads: int) -> Float[np.ndarray, " t"]:
    """Train in float32 NumPy; returns the mean loss of each batch before its step.

    A batch's rows are cut into lanes, the classes into blocks, the same for any number of threads.
    """
    n_classes, dim = head.weights.shape
    height = min(max(-(-n_classes // 8), 16), max(2**18 // dim, 16))
    blocks = [slice(i, i + height) for i in range(0, n_classes, height)]
    step = _Step(head, batch_size, task.decay)
    curve = np.empty(len(task.rates))
    with one_blas_thread(), _map_in_threads(n_threads) as spread:
        for t, (rows, rate) in enumerate(zip(task.batches, task.rates, strict=True)):
            step.begin(rows, rate, t + 1)
            lanes = [slice(i, i + _LANE) for i in range(0, len(rows), _LANE)]
            losses = spread(lambda lane: step.go_forward(task.X, task.codes, lane), lanes)
            curve[t] = math.fsum(losses) / len(rows)
            step.end(spread(step.go_backward, blocks))
    return curve


@contextlib.contextmanager
def _map_in_threads(n_threads: int) -> Iterator[Callable[..., Iterable]]:
    if n_threads == 1:
        yield map
        return
    with concurrent.futures.ThreadPoolExecutor(n_threads) as pool:
        yield pool.map


class _Step:
    """One step of AdamW on a head, and the moments that it keeps from step to step.

    With normalised rows x, residuals r = softmax - truth and G = rᵀ x, the gradient of the weights
    is G ⊙ gain + (Σ r) shiftᵀ, that of the gain Σ_k W_k ⊙ G_k, that of the shift Wᵀ Σ r.
    """

    def __init__(self, head: _Head, batch_size: int, decay: float):
        self._head, self._decay = head, decay
        n_classes, dim = head.weights.shape
        self._x = np.empty((batch_size, dim), np.float32)
        self._r = np.empty((batch_size, n_classes), np.float32)
        names = [field.name for field in dataclasses.fields(head)]
        self._moments = {name: [np.zeros_like(getattr(head, name)) for _ in "mv"] for name in names}

    def begin(self, rows: Int64[np.ndarray, " b"], rate: float, t: int) -> None:
        self._rows, self._rate, self._t = rows, rate, t

    def go_forward(self, X: np.ndarray, codes: Int64[np.ndarray, " n"], lane: slice) -> float:
        """The summed loss of some rows of the batch; keeps their residuals."""
        rows = self._rows[lane]
        here = slice(lane.start, lane.start + len(rows))
        x, r, y = self._x[here], self._r[here], codes[rows]
        x[:] = _normalize(X[rows])
        np.matmul(x * self._head.gain + self._head.shift, self._head.weights.T, out=r)
        r += self._head.biases
        r -= r.max(axis=1, keepdims=True)
        every = np.arange(len(rows))
        own = r[every, y]
        np.exp(r, out=r)
        sums = r.sum(axis=1)
        r /= sums[:, None]
        r[every, y] -= 1
        r /= len(self._rows)
        return float((np.log(sums) - own).sum(dtype=np.float64))

    def go_backward(self, block: slice) -> tuple[np.ndarray, np.ndarray]:
        """Move some classes' weights; returns their part of the gradients of gain and shift."""
        n, weights = len(self._rows), self._head.weights[block]
        r = self._r[:n, block]
        products, sums = r.T @ self._x[:n], r.sum(axis=0)
        gain = np.einsum("ij,ij->j", weights, products)
        shift = sums @ weights
        products *= self._head.gain
        products += sums[:, None] * self._head.shift
        self._move("weights", block, products, self._decay)
        self._move("biases", block, sums)
        return gain, shift

    def end(self, parts: Iterable[tuple[np.ndarray, np.ndarray]]) -> None:
        """Move gain and shift, once all blocks are done."""
        gain, shift = (sum(part) for part in zip(*parts, strict=True))
        self._move("gain", slice(None), gain)
        self._move("shift", slice(None), shift)

    def _move(self, name: str, part: slice, gradient: typing.Any, decay: float = 0.0) -> None:
        values = getattr(self._head, name)[part]
        m, v = (moment[part] for moment in self._moments[name])
        first, second = BETAS
        values *= 1 - self._rate * decay
        m += (1 - first) * (gradient - m)
        v *= second
        v += (1 - second) * gradient * gradient
        size = np.sqrt(v)
        size /= math.sqrt(1 - second**self._t)
        size += TINY
        values -= (self._rate / (1 - first**self._t)) * m / size


def _train_torch(head: _Head, task: _Task, device: str, *, half: bool) -> Float[np.ndarray, " t"]:
    """The same by torch's layers and optimizer; half: products in float16, by autocast."""
    import torch

    n_classes, dim = head.weights.shape
    norm = torch.nn.LayerNorm(dim, eps=EPSILON, device=device)
    linear = torch.nn.utils.skip_init(torch.nn.Linear, dim, n_classes, device=device)
    pairs = {
        "weights": linear.weight,
        "biases": linear.bias,
        "gain": norm.weight,
        "shift": norm.bias,
    }
    with torch.no_grad():
        for name, parameter in pairs.items():
            parameter.copy_(torch.from_numpy(getattr(head, name)))
    groups: list[dict] = [{"params": [linear.weight], "weight_decay": task.decay}]
    groups += [{"params": [linear.bias, *norm.parameters()], "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, betas=BETAS, eps=TINY)
    kind, scale = torch.device(device).type, _LOSS_SCALE if half else 1.0
    curve = torch.empty(len(task.rates), dtype=torch.float64, device=device)

    def read() -> tuple[torch.Tensor, torch.Tensor]:
        rows = next(task.batches)
        both = np.ascontiguousarray(task.X[rows]), task.codes[rows]
        x, y = (torch.from_numpy(array).to(device) for array in both)
        return x.float(), y

    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        coming = pool.submit(read)
        for t, rate in enumerate(task.rates):
            x, y = coming.result()
            if t + 1 < len(task.rates):
                # The next batch is read while the device works on this one.
                coming = pool.submit(read)
            for group in optimizer.param_groups:
                group["lr"] = rate
            with torch.autocast(kind, dtype=torch.float16, enabled=half):
                logits = linear(norm(x))
            loss = torch.nn.functional.cross_entropy(logits.float(), y)
            optimizer.zero_grad()
            (loss * scale).backward()
            for parameter in pairs.values():
                parameter.grad /= scale
            optimizer.step()
            curve[t] = loss.detach()
    for name, parameter in pairs.items():
        setattr(head, name, parameter.detach().cpu().numpy())
    return curve.cpu().numpy()
