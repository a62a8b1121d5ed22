"""Weights files are read as trainers write them, and what was recognised is said."""

import argparse
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import pytest
import timm
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import small_checkpoints
from biobench.errors import BadInput
from biobench.third_party_models import OpenClip, Timm
from biobench.third_party_models.checkpoints import read_checkpoint

ARCH = "test_resnet"


@pytest.fixture(scope="module")
def state(tmp_path_factory) -> dict[str, torch.Tensor]:
    return torch.load(small_checkpoints.save_timm(tmp_path_factory.mktemp("own"), ARCH))


def prefix(state, text):
    return {f"{text}{name}": tensor for name, tensor in state.items()}


def shift(state):
    return {name: tensor + 1 for name, tensor in state.items()}


def load(tmp_path, saved) -> Timm:
    torch.save(saved, tmp_path / "own.pt")
    return Timm(f"local:{ARCH}/{tmp_path / 'own.pt'}")


def is_same(backbone, state) -> bool:
    found = backbone.model.state_dict()
    return all(torch.equal(tensor, state[name]) for name, tensor in found.items())


WRAPPINGS = {
    "plain": (lambda s: s, ()),
    "under a key": (lambda s: {"model_state_dict": s, "epoch": 3}, ("'model_state_dict'",)),
    "DataParallel": (lambda s: prefix(s, "module."), ("without the prefix 'module.'",)),
    "compiled": (lambda s: {"model": prefix(s, "_orig_mod.module.")}, ("_orig_mod.module.",)),
    "Lightning": (
        lambda s: {
            "state_dict": {**prefix(s, "model.backbone."), "loss.weight": torch.ones(2)},
            "optimizer_states": [{}],
            "hyper_parameters": {"lr": 0.1},
        },
        ("'state_dict'", "'model.backbone.'", "1 tensors beside them left out"),
    ),
    "averaged": (
        lambda s: {"model": shift(s), "model_ema": s},
        ("averaged weights 'model_ema'", "not its 'model'"),
    ),
    "teacher and student": (
        lambda s: {"student": prefix(shift(s), "module."), "teacher": prefix(s, "module.")},
        ("averaged weights 'teacher'", "not its 'student'"),
    ),
    "teacher by prefix": (
        lambda s: {**prefix(shift(s), "student."), **prefix(s, "teacher.")},
        ("averaged weights 'teacher'", "not its 'student'"),
    ),
    "with what a trainer keeps": (
        lambda s: {
            "net": s,
            "args": argparse.Namespace(lr=1.0, output=pathlib.PosixPath("runs")),
            "best": np.float64(0.5),
            "history": {"loss": [np.float32(1)]},
            "optimizer": {"state": {0: {"exp_avg": torch.ones(3)}}, "param_groups": []},
        },
        ("'net'",),
    ),
}


@pytest.mark.parametrize("kind", WRAPPINGS)
def test_a_trainers_file_gives_the_networks_own_weights_and_says_what_was_recognised(
    kind, state, tmp_path
):
    wrap, said = WRAPPINGS[kind]
    backbone = load(tmp_path, wrap(state))
    assert is_same(backbone, state)
    for text in said:
        assert text in backbone.weights_source
    if not said:
        assert backbone.weights_source == f"the file {tmp_path / 'own.pt'}"


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.sampled_from(["module", "model", "net", "0", "encoder"]), max_size=3),
    st.lists(st.sampled_from(["state_dict", "model", "weights"]), max_size=3),
)
def test_any_nesting_and_any_prefix_is_undone(parts, keys):
    names = timm.create_model(ARCH).state_dict().keys()
    state = {name: torch.full((1,), float(i)) for i, name in enumerate(names)}
    saved = prefix(state, "".join(f"{part}." for part in parts))
    for key in keys:
        saved = {key: saved, "epoch": 1}
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "own.pt"
        torch.save(saved, path)
        found = read_checkpoint(path, names)
    assert found.state.keys() == state.keys()
    assert all(torch.equal(found.state[name], state[name]) for name in names)


def test_weights_of_another_architecture_are_refused_and_none_is_left_random(state, tmp_path):
    torch.save({"model": prefix(state, "module.")}, tmp_path / "own.pt")
    with pytest.raises(BadInput, match="do not fit its architecture"):
        Timm(f"local:test_efficientnet/{tmp_path / 'own.pt'}")


def test_a_missing_tensor_under_the_prefix_is_refused(state, tmp_path):
    wrapped = prefix(state, "backbone.")
    del wrapped["backbone.conv1.0.weight"]
    with pytest.raises(BadInput, match=r"conv1\.0\.weight"):
        load(tmp_path, wrapped)


class Trainer:
    """A class that a file could run code by."""


def test_a_file_with_another_class_is_refused_with_its_name_and_what_to_do(state, tmp_path):
    with pytest.raises(BadInput, match=r"the class \S*Trainer.*torch\.save\(model\.state_dict"):
        load(tmp_path, {"model": state, "trainer": Trainer()})


@pytest.mark.parametrize("saved", [{"epoch": 1}, [1, 2], {}])
def test_a_file_without_tensors_by_name_is_refused(saved, tmp_path):
    with pytest.raises(BadInput, match="holds no tensors by name"):
        load(tmp_path, saved)


def test_safetensors_are_read_likewise(state, tmp_path):
    from safetensors.torch import save_file

    path = tmp_path / "own.safetensors"
    save_file(prefix(state, "module."), path)
    backbone = Timm(f"local:{ARCH}/{path}")
    assert is_same(backbone, state) and "'module.'" in backbone.weights_source


def test_openclip_takes_a_trainers_file_too(tmp_path):
    small_checkpoints.register_clips(tmp_path)
    path = small_checkpoints.save_clip(tmp_path, "tiny-clip")
    plain = OpenClip(f"local:tiny-clip/{path}")
    state = torch.load(path)
    torch.save({"ema": prefix(state, "model."), "model": shift(state)}, tmp_path / "own.pt")
    wrapped = OpenClip(f"local:tiny-clip/{tmp_path / 'own.pt'}")
    for name, tensor in wrapped.state_dict().items():
        assert torch.equal(tensor, plain.state_dict()[name])
    assert "averaged weights 'ema'" in wrapped.weights_source


# Memory is counted in a process of its own: where other tests ran, what they freed would hide
# a copy. Prints what reading all of a file's weights added, and what copies of them add then.
COUNT_MEMORY = """
import pathlib, re, sys
from biobench.third_party_models.checkpoints import read_checkpoint

def count_anonymous():
    status = pathlib.Path("/proc/self/status").read_text()
    return 1024 * int(re.search(r"RssAnon:\\s+(\\d+)", status)[1])

path, names = pathlib.Path(sys.argv[1]), sys.argv[2:]
before = count_anonymous()
found = read_checkpoint(path, names).state
assert [found[name].mean().item() for name in names] == [float(i) for i in range(len(names))]
mapped = count_anonymous() - before
copies = [tensor.clone() for tensor in found.values()]
print(mapped, count_anonymous() - before)
"""


@pytest.mark.skipif(not pathlib.Path("/proc/self/status").exists(), reason="counts as Linux does")
@pytest.mark.parametrize("suffix", [".safetensors", ".pt"])
def test_a_weights_file_is_mapped_and_not_read_into_memory(suffix, tmp_path):
    from safetensors.torch import save_file

    path, mebi = tmp_path / f"own{suffix}", 2**20
    state = {f"w{i}": torch.full((mebi,), float(i)) for i in range(16)}
    (save_file if suffix == ".safetensors" else torch.save)(state, path)
    command = [sys.executable, "-c", COUNT_MEMORY, path, *state]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    mapped, copied = map(int, printed.split())
    assert mapped < 16 * mebi
    # A copy would be seen.
    assert copied > 48 * mebi
