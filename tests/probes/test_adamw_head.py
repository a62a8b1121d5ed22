"""AdamWHead's every step is that of torch's own layers, optimizer and schedule."""

import numpy as np
import pytest

from biobench.errors import BadInput
from biobench.probes import AdamWHead
from biobench.probes import adamw_head as module

SMALL = {"n_steps": 60, "batch_size": 48, "learning_rate": 2e-2}


def make_problem(n=200, dim=12, n_classes=5, seed=0):
    rng = np.random.default_rng(seed)
    y = np.arange(n) % n_classes
    x = rng.normal(size=(n_classes, dim))[y] + rng.normal(size=(n, dim)) * 2 + 3
    return x.astype(np.float32), np.array([f"class {code}" for code in y])


def train_plainly(x, y, *, n_steps, batch_size, learning_rate, decay=1e-2, seed=42):
    """The protocol as anyone would write it in torch: (loss of each step, layers)."""
    import torch

    rng = np.random.default_rng(seed)
    classes, codes = np.unique(y, return_inverse=True)
    norm, linear = torch.nn.LayerNorm(x.shape[1]), torch.nn.Linear(x.shape[1], len(classes))
    bound = 1 / np.sqrt(x.shape[1])
    with torch.no_grad():
        for parameter in (linear.weight, linear.bias):
            drawn = rng.uniform(-bound, bound, tuple(parameter.shape))
            parameter.copy_(torch.from_numpy(drawn.astype(np.float32)))
    model = torch.nn.Sequential(norm, linear)
    matrices = [p for p in model.parameters() if p.ndim > 1]
    others = [p for p in model.parameters() if p.ndim == 1]
    groups = [
        {"params": matrices, "weight_decay": decay},
        {"params": others, "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=learning_rate)
    falling = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, n_steps, learning_rate / 100)
    losses, order = [], []
    for _ in range(n_steps):
        order = order if len(order) else rng.permutation(len(x))
        batch, order = order[:batch_size], order[batch_size:]
        loss = torch.nn.functional.cross_entropy(
            model(torch.from_numpy(x[batch])), torch.from_numpy(codes[batch])
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        falling.step()
        losses.append(loss.item())
    return np.array(losses), model


# A batch that the pass is a multiple of, one that leaves a rest, one larger than all, one of lanes.
@pytest.mark.parametrize(
    ("n", "batch_size", "n_classes"),
    [(192, 48, 5), (200, 48, 5), (30, 48, 3), (1500, 700, 4), (200, 64, 40)],
)
def test_the_loss_curve_and_the_weights_are_those_of_a_plain_torch_loop(n, batch_size, n_classes):
    import torch

    x, y = make_problem(n, n_classes=n_classes)
    options = SMALL | {"batch_size": batch_size}
    clf = AdamWHead(**options).fit(x, y)
    losses, model = train_plainly(x, y, **options)
    assert losses[-1] < losses[0] * 0.9
    np.testing.assert_allclose(clf.loss_curve_, losses, rtol=2e-5, atol=2e-6)
    norm, linear = model
    for ours, theirs in (
        (clf.weights_, linear.weight),
        (clf.biases_, linear.bias),
        (clf.gain_, norm.weight),
        (clf.shift_, norm.bias),
    ):
        np.testing.assert_allclose(ours, theirs.detach().numpy(), atol=2e-4)
    with torch.no_grad():
        p = torch.softmax(model(torch.from_numpy(x)), dim=1).numpy()
    np.testing.assert_allclose(clf.predict_proba(x), p, atol=5e-4)


def test_the_decay_is_of_matrices_only_and_shows():
    x, y = make_problem()
    clf = AdamWHead(**SMALL, weight_decay=5.0).fit(x, y)
    losses, model = train_plainly(x, y, **SMALL, decay=5.0)
    np.testing.assert_allclose(clf.loss_curve_, losses, rtol=2e-5, atol=2e-6)
    np.testing.assert_allclose(clf.gain_, model[0].weight.detach().numpy(), atol=2e-4)
    assert not np.allclose(clf.loss_curve_, AdamWHead(**SMALL).fit(x, y).loss_curve_, rtol=1e-3)


@pytest.mark.parametrize(("half", "rtol"), [(False, 2e-5), (True, 2e-2)])
def test_the_layers_that_cuda_trains_take_the_same_steps(half, rtol, monkeypatch):
    """A CPU stands in for the device, its autocast for CUDA's."""
    real, kinds = module._train_torch, []

    def train(head, task, device, *, half: bool):
        kinds.append((device, half))
        return real(head, task, "cpu", half=half and use_half)

    use_half = half
    monkeypatch.setattr(module, "check_device", lambda device: None)
    monkeypatch.setattr(module, "_train_torch", train)
    x, y = make_problem()
    there, here = AdamWHead(**SMALL, device="cuda").fit(x, y), AdamWHead(**SMALL).fit(x, y)
    assert kinds == [("cuda", True)]
    np.testing.assert_allclose(there.loss_curve_, here.loss_curve_, rtol=rtol)
    np.testing.assert_allclose(there.weights_, here.weights_, atol=5 * rtol)
    if not half:
        np.testing.assert_array_equal(there.predict(x), here.predict(x))


def test_a_pass_asks_each_example_once_and_the_next_in_another_order():
    rng = np.random.default_rng(0)
    batches = list(module._iter_batches(10, 4, 7, rng))
    assert [len(batch) for batch in batches] == [4, 4, 2, 4, 4, 2, 4]
    for start in (0, 3):
        once = np.sort(np.concatenate(batches[start : start + 3]))
        np.testing.assert_array_equal(once, range(10))
    assert not np.array_equal(batches[0], batches[3])


def test_the_seed_decides_the_start_and_the_order():
    x, y = make_problem()
    one, same, other = (AdamWHead(**SMALL, random_state=s).fit(x, y) for s in (1, 1, 2))
    assert one.loss_curve_.tobytes() == same.loss_curve_.tobytes()
    assert not np.allclose(one.loss_curve_, other.loss_curve_, rtol=1e-3)


def test_threads_change_no_bit_of_any_step():
    x, y = make_problem(3000, n_classes=60)
    options = SMALL | {"n_steps": 8, "batch_size": 1100}
    one, three = (AdamWHead(**options, n_jobs=n).fit(x, y) for n in (1, 3))
    assert one.loss_curve_.tobytes() == three.loss_curve_.tobytes()
    assert one.weights_.tobytes() == three.weights_.tobytes()


def test_the_protocol_is_ten_thousand_steps_of_2048():
    clf = AdamWHead.for_protocol(seed=7, folds="kfold", device="cpu", n_jobs=1)
    assert (clf.n_steps, clf.batch_size, clf.learning_rate) == (10_000, 2048, 3e-4)
    assert (clf.final, clf.weight_decay, clf.random_state) == (0.01, 0.01, 7)


def test_a_device_that_is_not_there_is_refused_before_the_features_are_read():
    x, y = make_problem(20)
    with pytest.raises(BadInput, match="'cuda:99' is not available"):
        AdamWHead(device="cuda:99").fit(x, y)
