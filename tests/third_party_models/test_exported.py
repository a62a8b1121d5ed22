"""Networks in ONNX and of torch.export: their own outputs, prepared as told, or refused."""

import contextlib
import copy
import io
import json
import os
import pathlib
import pickle
import zipfile

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import helper, numpy_helper
from PIL import Image

from biobench.errors import BadInput
from biobench.features import backbone_digest, cost
from biobench.features.doctor import examine
from biobench.registry import load_vision_backbone

SIZE = 32
TOML = """
size = 32
fit = "crop"
resize = 40
interpolation = "bilinear"
mean = [0.4, 0.5, 0.6]
std = [0.2, 0.25, 0.3]
"""
# torch's exporter calls what torch has renamed.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")


@pytest.fixture(autouse=True)
def no_timing(monkeypatch):
    """The doctor also measures the speed, which is of no use here."""
    monkeypatch.setattr(cost, "_SECONDS", 0.0)


class Net(torch.nn.Module):
    """Tokens [batch, 16, 12], and their mean."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.stem = torch.nn.Conv2d(3, 12, 8, stride=8)

    def forward(self, x):
        tokens = self.stem(x).relu().flatten(2).transpose(1, 2)
        return tokens, tokens.mean(dim=1)


def save_export(folder: pathlib.Path, toml=TOML + "output = 1", batch="dynamic") -> str:
    shapes = {"x": {0: torch.export.Dim("n", min=1, max=512)}} if batch == "dynamic" else None
    example = torch.zeros(2 if shapes else 1, 3, SIZE, SIZE)
    program = torch.export.export(Net().eval(), (example,), dynamic_shapes=shapes)
    torch.export.save(program, folder / "net.pt2")
    (folder / "net.toml").write_text(toml)
    return str(folder / "net.pt2")


def save_onnx(folder: pathlib.Path, toml=TOML + 'output = "mean"', batch="n") -> str:
    net = Net()
    weights = {"w": net.stem.weight, "b": net.stem.bias}
    initial = [numpy_helper.from_array(t.detach().numpy(), name) for name, t in weights.items()]
    initial.append(numpy_helper.from_array(np.array([0, 12, 16]), "shape"))
    nodes = [
        helper.make_node("Conv", ["x", "w", "b"], ["grid"], strides=[8, 8]),
        helper.make_node("Relu", ["grid"], ["active"]),
        helper.make_node("Reshape", ["active", "shape"], ["flat"]),
        helper.make_node("Transpose", ["flat"], ["tokens"], perm=[0, 2, 1]),
        helper.make_node("ReduceMean", ["tokens"], ["mean"], axes=[1], keepdims=0),
    ]
    kind = onnx.TensorProto.FLOAT
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("x", kind, [batch, 3, SIZE, SIZE])],
        [
            helper.make_tensor_value_info("tokens", kind, [batch, 16, 12]),
            helper.make_tensor_value_info("mean", kind, [batch, 12]),
        ],
        initial,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, folder / "net.onnx")
    (folder / "net.toml").write_text(toml)
    return str(folder / "net.onnx")


SAVERS = {"onnx": save_onnx, "torch-export": save_export}
BATCH = torch.randn(3, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(1))


def call(org: str, path: str, batch: torch.Tensor) -> list[torch.Tensor]:
    """The library's own call."""
    if org == "onnx":
        found = onnxruntime.InferenceSession(path).run(None, {"x": batch.numpy()})
        return [torch.from_numpy(one) for one in found]
    return list(torch.export.load(path).module()(batch))


@pytest.mark.parametrize("org", SAVERS)
def test_the_vector_is_the_networks_own_output_to_the_bit_and_the_doctor_passes(org, tmp_path):
    path = SAVERS[org](tmp_path)
    backbone = load_vision_backbone(org, path)
    with torch.inference_mode():
        found = backbone.img_encode(BATCH).img_features
        assert torch.equal(found, call(org, path, BATCH)[1])
        torch.testing.assert_close(found, Net()(BATCH)[1])
        assert torch.equal(copy.deepcopy(backbone).img_encode(BATCH).img_features, found)
    assert sum(one.numel() for one in backbone.parameters()) == 12 * (3 * 64 + 1)
    checks = examine(backbone, (org, path))
    assert [check for check in checks if check.status == "fail"] == []


@pytest.mark.parametrize("org", SAVERS)
@pytest.mark.parametrize("pool", ["cls", "mean", "max"])
def test_tokens_are_pooled_as_the_file_beside_says(org, pool, tmp_path):
    first = '"tokens"' if org == "onnx" else "0"
    path = SAVERS[org](tmp_path, f"{TOML}output = {first}\npool = '{pool}'")
    backbone = load_vision_backbone(org, path)
    with torch.inference_mode():
        found = backbone.img_encode(BATCH)
        tokens = call(org, path, BATCH)[0]
    expected = {"cls": tokens[:, 0], "mean": tokens.mean(dim=1), "max": tokens.amax(dim=1)}
    # A mean adds in the order in which the tokens lie in memory.
    torch.testing.assert_close(found.img_features, expected[pool])
    assert found.patch_features.shape[1] == (15 if pool == "cls" else 16)
    assert backbone.get_pooling().pool == pool


@pytest.mark.parametrize("org", SAVERS)
def test_a_network_for_one_picture_at_a_time_is_run_so(org, tmp_path):
    path = SAVERS[org](tmp_path, batch=1)
    backbone = load_vision_backbone(org, path)
    with torch.inference_mode():
        found = backbone.img_encode(BATCH).img_features
    torch.testing.assert_close(found, Net()(BATCH)[1].detach())


def test_pictures_are_made_as_the_file_beside_says(tmp_path):
    from torchvision.transforms import v2

    backbone = load_vision_backbone("onnx", save_onnx(tmp_path))
    rng = np.random.default_rng(0)
    picture = Image.fromarray(rng.integers(0, 256, (90, 60, 3), dtype=np.uint8))
    resized = v2.functional.resize(picture, 40, v2.InterpolationMode.BILINEAR)
    pixels = v2.functional.to_dtype(
        v2.functional.pil_to_tensor(v2.functional.center_crop(resized, [SIZE, SIZE])), scale=True
    )
    mean, std = torch.tensor([0.4, 0.5, 0.6]), torch.tensor([0.2, 0.25, 0.3])
    expected = (pixels - mean[:, None, None]) / std[:, None, None]
    torch.testing.assert_close(backbone.make_img_transform()(picture).data, expected)


@pytest.mark.parametrize("org", SAVERS)
def test_other_weights_and_another_output_are_another_key(org, tmp_path):
    path = SAVERS[org](tmp_path)
    digests = {backbone_digest(load_vision_backbone(org, path))}
    digests.add(backbone_digest(load_vision_backbone(org, path)))
    assert len(digests) == 1
    first = '"tokens"' if org == "onnx" else "0"
    (tmp_path / "net.toml").write_text(f"{TOML}output = {first}\npool = 'max'")
    digests.add(backbone_digest(load_vision_backbone(org, path)))
    assert len(digests) == 2


@pytest.mark.parametrize(
    "toml, says",
    [
        ("", "lacks size, fit, interpolation, mean, std"),
        (f"{TOML}outputs = 1", "Did you mean 'output'"),
        (TOML.replace("32", "'big'"), "give an integer"),
        (TOML.replace("crop", "stretch"), "'crop' or 'squeeze'"),
        (TOML.replace("0.25, ", ""), "three numbers"),
        ("size = ", "not a readable TOML file"),
        (TOML, r"shape \(2, 16, 12\): name another as `output`"),
        (f"{TOML}output = 'features'", "has no output 'features'"),
        (TOML.replace("size = 32", "size = 48"), "fails on a picture of 3 x 48 x 48"),
    ],
)
def test_a_file_beside_that_does_not_fit_is_refused(toml, says, tmp_path):
    path = save_onnx(tmp_path, toml)
    with pytest.raises(BadInput, match=says) as caught:
        load_vision_backbone("onnx", path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("org", SAVERS)
def test_without_the_file_beside_it_a_network_is_refused(org, tmp_path):
    path = SAVERS[org](tmp_path)
    (tmp_path / "net.toml").unlink()
    with pytest.raises(BadInput, match=r"does not say which pixels it wants: write net\.toml"):
        load_vision_backbone(org, path)
    with pytest.raises(BadInput, match="does not exist"):
        load_vision_backbone(org, str(tmp_path / "none"))


@pytest.mark.parametrize("org", SAVERS)
def test_a_truncated_network_is_one_sentence(org, tmp_path):
    path = pathlib.Path(SAVERS[org](tmp_path))
    path.write_bytes(path.read_bytes()[:1500])
    with pytest.raises(BadInput, match="cannot be read as") as caught:
        load_vision_backbone(org, str(path))
    assert "\n" not in str(caught.value)


class Hostile:
    """Makes a folder when it is unpickled."""

    def __init__(self, folder: pathlib.Path):
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (str(self.folder),)


def _put_in_inputs(files: dict[str, bytes], evil: Hostile) -> None:
    name = next(name for name in files if "/sample_inputs/" in name)
    files[name] = _save(evil)


def _put_in_weights(files: dict[str, bytes], evil: Hostile) -> None:
    name = next(name for name in files if name.endswith("_weights_config.json"))
    config = json.loads(files[name])
    one = next(iter(config["config"].values()))
    one["use_pickle"] = True
    files[name] = json.dumps(config).encode()
    files[f"{name.rpartition('/')[0]}/{one['path_name']}"] = _save(evil)


def _put_in_constants(files: dict[str, bytes], evil: Hostile) -> None:
    name = next(name for name in files if name.endswith("_constants_config.json"))
    one = {"path_name": "opaque_obj_0", "is_param": False, "use_pickle": True, "tensor_meta": None}
    files[name] = json.dumps({"config": {"evil": one}}).encode()
    files[f"{name.rpartition('/')[0]}/opaque_obj_0"] = pickle.dumps(evil)


def _save(value: object) -> bytes:
    torch.save(value, made := io.BytesIO())
    return made.getvalue()


@pytest.mark.parametrize("put", [_put_in_inputs, _put_in_weights, _put_in_constants])
def test_code_in_an_exported_network_is_refused_and_not_run(put, tmp_path):
    path, trace = pathlib.Path(save_export(tmp_path)), tmp_path / "was-run"
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    put(files, Hostile(trace))
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    with pytest.raises(BadInput, match="which could run code") as caught:
        load_vision_backbone("torch-export", str(path))
    assert not trace.exists() and "\n" not in str(caught.value)
    # That torch alone would run it, else nothing was tested.
    with contextlib.suppress(Exception):
        torch.export.load(path)
    assert trace.exists()


def test_a_compiled_library_in_an_exported_network_is_refused_and_not_loaded(tmp_path, monkeypatch):
    from torch.export.pt2_archive import _package

    asked = []
    monkeypatch.setattr(_package, "_load_aoti", lambda *args: asked.append(args))
    path = pathlib.Path(save_export(tmp_path))
    with zipfile.ZipFile(path, "a") as archive:
        root = archive.namelist()[0].partition("/")[0]
        archive.writestr(f"{root}/data/aotinductor/net/net.so", b"no library")
    with pytest.raises(BadInput, match="a compiled library, which could run code"):
        load_vision_backbone("torch-export", str(path))
    assert not asked
    # That torch alone would load it, else nothing was tested.
    torch.export.load(path)
    assert asked
