"""The transformers adapter equals transformers' own call, for one small model of every family."""

import dataclasses
import json
import pathlib
import typing

import numpy as np
import pytest
import torch
import transformers
from PIL import Image

from biobench import registry
from biobench.errors import BadInput
from biobench.features import cost
from biobench.features.doctor import examine
from biobench.third_party_models import Hf, hf_processing

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:timm.*", "ignore:torch.searchsorted")

SIZE = 32
VIT = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "image_size": SIZE,
    "patch_size": 8,
}
STAGES = {"depths": [1, 1, 1, 1], "hidden_sizes": [8, 16, 24, 32], "image_size": SIZE}


@pytest.fixture(autouse=True)
def no_timing(monkeypatch):
    """The doctor also measures the speed, which is of no use here."""
    monkeypatch.setattr(cost, "_SECONDS", 0.0)


@dataclasses.dataclass(frozen=True)
class Family:
    """A configuration of transformers made small, and what is known of it beforehand."""

    config: str
    pool: str
    n_patches: int
    dim: int = 32
    options: dict[str, typing.Any] = dataclasses.field(default_factory=lambda: VIT)
    model: str = ""


FAMILIES = {
    "Dinov2Model": Family("Dinov2Config", "cls", 16, options=VIT | {"mlp_ratio": 2}),
    "Dinov2WithRegistersModel": Family(
        "Dinov2WithRegistersConfig", "cls", 16, options=VIT | {"num_register_tokens": 4}
    ),
    "DINOv3ViTModel": Family(
        "DINOv3ViTConfig", "cls", 16, options=VIT | {"num_register_tokens": 4}
    ),
    "DINOv3ConvNextModel": Family("DINOv3ConvNextConfig", "cls", 1, options=STAGES),
    "IJepaModel": Family("IJepaConfig", "mean", 16),
    "VJEPA2Model": Family(
        "VJEPA2Config",
        "mean",
        32,
        options={
            "hidden_size": 48,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "patch_size": 8,
            "crop_size": SIZE,
            "frames_per_clip": 4,
            "pred_hidden_size": 48,
            "pred_num_attention_heads": 2,
            "pred_num_hidden_layers": 1,
        },
        dim=48,
    ),
    "Aimv2VisionModel": Family("Aimv2VisionConfig", "mean", 16, options=VIT | {"use_head": False}),
    "SiglipVisionModel": Family("SiglipVisionConfig", "map", 16),
    "Siglip2VisionModel": Family(
        "Siglip2VisionConfig", "map", 16, options=VIT | {"num_patches": 16}
    ),
    "MetaClip2VisionModel": Family("MetaClip2VisionConfig", "cls", 16),
    "CLIPVisionModel": Family("CLIPVisionConfig", "cls", 16),
    "MLCDVisionModel": Family(
        "MLCDVisionConfig", "cls", 16, options=VIT | {"num_key_value_groups": 1}
    ),
    "ViTMAEModel": Family("ViTMAEConfig", "cls", 16),
    "ViTModel": Family("ViTConfig", "cls", 16),
    "BeitModel": Family("BeitConfig", "mean", 16),
    "HieraModel": Family(
        "HieraConfig",
        "mean",
        1,
        dim=64,
        options={
            "embed_dim": 8,
            "image_size": [SIZE, SIZE],
            "patch_stride": [4, 4],
            "depths": [1, 1, 1, 1],
            "num_heads": [1, 1, 2, 2],
            "masked_unit_size": [8, 8],
        },
    ),
    "SwinModel": Family(
        "SwinConfig",
        "mean",
        4,
        options={
            "image_size": SIZE,
            "patch_size": 4,
            "embed_dim": 8,
            "depths": [1, 1, 1],
            "num_heads": [1, 2, 2],
            "window_size": 2,
        },
    ),
    "ConvNextV2Model": Family("ConvNextV2Config", "mean", 1, options=STAGES),
    "Sam2VisionModel": Family("Sam2VisionConfig", "mean", 4, options={}),
    "RadioModel": Family(
        "RadioConfig", "cls", 16, 64, VIT | {"num_registers": 4, "max_img_size": 64}
    ),
    "Tipsv2VisionModel": Family("Tipsv2VisionConfig", "cls", 16),
    "TimmWrapperModel": Family(
        "TimmWrapperConfig",
        "map",
        100,
        96,
        {
            "architecture": "test_vit3",
            "pretrained_cfg": {
                "input_size": [3, 160, 160],
                "mean": [0.5, 0.5, 0.5],
                "std": [0.5, 0.5, 0.5],
                "interpolation": "bicubic",
                "crop_pct": 1.0,
            },
        },
    ),
}


def make_config(name: str):
    family = FAMILIES[name]
    kind = getattr(transformers, family.config)
    if name == "Sam2VisionModel":
        backbone = transformers.Sam2HieraDetConfig(
            hidden_size=8,
            num_attention_heads=1,
            image_size=[SIZE * 2, SIZE * 2],
            blocks_per_stage=[1, 1, 1, 1],
            embed_dim_per_stage=[8, 16, 24, 32],
            num_attention_heads_per_stage=[1, 1, 2, 2],
            window_size_per_stage=[4, 2, 2, 2],
            window_positional_embedding_background_size=[4, 4],
            global_attention_blocks=[],
        )
        return kind(
            backbone_config=backbone,
            backbone_channel_list=[32, 24, 16, 8],
            fpn_hidden_size=16,
            backbone_feature_sizes=[[16, 16], [8, 8], [4, 4]],
        )
    return kind(**family.options)


def make_model(name: str):
    torch.manual_seed(0)
    model = getattr(transformers, name)(make_config(name)).eval()
    for key, parameter in model.named_parameters():
        # Else layers and tokens would hardly show.
        if "lambda" in key or "layer_scale" in key or "gamma" in key:
            parameter.data.fill_(1.0)
        elif "token" in key or "norm" in key or "position" in key:
            parameter.data.add_(torch.randn_like(parameter) * 0.2)
    # With gradients torch takes another way through attention, which rounds otherwise.
    return model.requires_grad_(False)


def save_processor(name: str, folder: pathlib.Path) -> None:
    if name == "VJEPA2Model":
        transformers.VJEPA2VideoProcessor(crop_size=SIZE).save_pretrained(folder)
    elif name == "Siglip2VisionModel":
        made = transformers.Siglip2ImageProcessor(patch_size=8, max_num_patches=16)
        made.save_pretrained(folder)
    elif name == "Tipsv2VisionModel":
        size = {"height": SIZE, "width": SIZE}
        transformers.Tipsv2ImageProcessor(size=size).save_pretrained(folder)
    elif name != "TimmWrapperModel":
        side = SIZE * 2 if name == "Sam2VisionModel" else SIZE
        options = {"do_normalize": name != "RadioModel", "image_mean": [0.4, 0.5, 0.6]}
        size = {"height": side, "width": side}
        transformers.ViTImageProcessor(size=size, **options).save_pretrained(folder)


@dataclasses.dataclass(frozen=True)
class Made:
    name: str
    family: Family
    folder: pathlib.Path
    own: typing.Any
    backbone: Hf
    batch: torch.Tensor


def make_picture(side: int) -> Image.Image:
    rng = np.random.default_rng(side)
    return Image.fromarray(rng.integers(0, 256, (side, side, 3), dtype=np.uint8))


@pytest.fixture(scope="module", params=FAMILIES)
def made(request, tmp_path_factory) -> Made:
    return make(request.param, tmp_path_factory.mktemp("hf"))


def make(name: str, folder: pathlib.Path) -> Made:
    own = make_model(name)
    own.save_pretrained(folder)
    save_processor(name, folder)
    backbone = Hf(str(folder))
    transform = backbone.make_img_transform()
    batch = torch.stack([transform(make_picture(side)) for side in (90, 41, 32)])
    return Made(name, FAMILIES[name], folder, own, backbone, batch)


def call(made: Made, batch: torch.Tensor):
    """transformers' own call, as its documentation has it."""
    with torch.inference_mode():
        match made.name:
            case "VJEPA2Model":
                clip = torch.stack([batch] * made.own.config.frames_per_clip, dim=1)
                return made.own(clip, skip_predictor=True)
            case "Siglip2VisionModel":
                return made.own(**hf_processing.to_patches(batch, 8))
            case "ViTMAEModel":
                made.own.config.mask_ratio = 0.0
                return made.own(batch, noise=torch.arange(16.0).repeat(len(batch), 1))
            case _:
                return made.own(pixel_values=batch)


def test_the_vector_is_that_of_the_librarys_own_call_to_the_bit(made):
    output = call(made, made.batch)
    with torch.inference_mode():
        found = made.backbone.img_encode(made.batch)
    hidden = output.last_hidden_state
    if made.name == "RadioModel":
        expected = output.summary
    elif made.name == "Sam2VisionModel":
        expected = hidden.mean(dim=(1, 2))
    elif getattr(output, "pooler_output", None) is not None and made.name not in ("ViTModel",):
        expected = output.pooler_output.flatten(1)
    else:
        expected = hidden[:, 0] if made.family.pool == "cls" else hidden.mean(dim=1)
    if made.name == "Sam2VisionModel":
        torch.testing.assert_close(found.img_features, expected)
    else:
        assert torch.equal(found.img_features, expected)
    assert found.img_features.shape == (3, made.family.dim)
    assert made.backbone.get_pooling().pool == made.family.pool
    assert made.backbone.get_pooling().source


def test_patches_are_as_many_as_the_configuration_says(made):
    with torch.inference_mode():
        patches = made.backbone.img_encode(made.batch).patch_features
    assert patches.shape[:2] == (3, made.family.n_patches)
    if made.name in ("Dinov2WithRegistersModel", "DINOv3ViTModel"):
        assert torch.equal(patches, call(made, made.batch).last_hidden_state[:, 5:])


def test_the_doctor_finds_nothing_wrong_and_the_transform_makes_the_size(made):
    checks = {check.name: check for check in examine(made.backbone, ("hf", str(made.folder)))}
    assert [check for check in checks.values() if check.status == "fail"] == []
    assert checks["checkpoint's own transform"].status == "pass"
    assert not any(module.training for module in made.backbone.modules())
    assert made.backbone.make_img_transform()(make_picture(50)).shape == made.batch.shape[1:]


def test_the_transform_is_the_repositorys_own_image_processor(made):
    if made.name == "VJEPA2Model":
        processor = transformers.AutoVideoProcessor.from_pretrained(made.folder)
        frame = torch.from_numpy(np.asarray(make_picture(90)).copy()).permute(2, 0, 1)[None]
        expected = processor(frame, return_tensors="pt")["pixel_values_videos"][0, 0]
        assert torch.equal(made.batch[0], expected)
        return
    options = {} if made.name == "TimmWrapperModel" else {"backend": "pil"}
    processor = transformers.AutoImageProcessor.from_pretrained(made.folder, **options)
    output = processor(images=make_picture(32), return_tensors="pt")
    if made.name == "Siglip2VisionModel":
        assert output["spatial_shapes"].tolist() == [[4, 4]]
        again = hf_processing.to_patches(made.batch[2:], 8)
        assert torch.equal(again["pixel_values"], output["pixel_values"])
        return
    assert torch.equal(made.batch[2], output["pixel_values"][0])


def test_an_image_has_its_vector_whatever_stands_beside_it(made):
    with torch.inference_mode():
        together = made.backbone.img_encode(made.batch).img_features
        alone = torch.cat([made.backbone.img_encode(one[None]).img_features for one in made.batch])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)


def save(name: str, folder: pathlib.Path) -> str:
    make_model(name).save_pretrained(folder)
    save_processor(name, folder)
    return str(folder)


@pytest.mark.parametrize(
    "name, pool",
    [
        ("Dinov2WithRegistersModel", "mean"),
        ("IJepaModel", "max"),
        ("SiglipVisionModel", "mean"),
        ("CLIPVisionModel", "max"),
        ("ConvNextV2Model", "max"),
    ],
)
def test_another_pooling_is_of_the_patches_of_the_last_hidden_state(name, pool, tmp_path):
    backbone = Hf(save(name, tmp_path), pool=pool)
    batch = torch.randn(2, 3, SIZE, SIZE)
    with torch.inference_mode():
        found = backbone.img_encode(batch)
        hidden = backbone.model(batch).last_hidden_state
    if hidden.ndim == 4:
        hidden = hidden.flatten(2).transpose(1, 2)
    n_prefix = {"Dinov2WithRegistersModel": 5, "CLIPVisionModel": 1}.get(name, 0)
    patches = hidden[:, n_prefix:]
    expected = patches.mean(dim=1) if pool == "mean" else patches.amax(dim=1)
    assert torch.equal(found.img_features, expected)
    assert (backbone.get_pooling().pool, backbone.get_pooling().source) == (pool, "--pool")


@pytest.mark.parametrize(
    "name, pool, lacks",
    [
        ("IJepaModel", "cls", "class token"),
        ("SiglipVisionModel", "cls", "class token"),
        ("Dinov2Model", "map", "attention-pooling head"),
    ],
)
def test_what_a_model_does_not_have_is_refused(name, pool, lacks, tmp_path):
    with pytest.raises(BadInput, match=f"has no {lacks}"):
        Hf(save(name, tmp_path), pool=pool)


@pytest.mark.parametrize(
    "name", ["Dinov2Model", "DINOv3ViTModel", "ViTMAEModel", "SiglipVisionModel", "VJEPA2Model"]
)
def test_another_size_is_resampled_by_transformers(name, tmp_path):
    backbone = Hf(save(name, tmp_path), image_size=48)
    assert backbone.data_config()["input_size"] == (3, 48, 48)
    batch = torch.randn(2, 3, 48, 48)
    with torch.inference_mode():
        patches = backbone.img_encode(batch).patch_features
    assert patches.shape[1] == (72 if name == "VJEPA2Model" else 36)
    checks = examine(backbone, ("hf", name))
    assert [check for check in checks if check.status == "fail"] == []


def test_a_size_that_cannot_be_is_refused(tmp_path):
    with pytest.raises(BadInput, match=r"cannot be given pictures of 48 x 48 pixels"):
        Hf(save("HieraModel", tmp_path), image_size=48)


def test_the_margin_around_a_crop_stays_its_share(tmp_path):
    make_model("Dinov2Model").save_pretrained(tmp_path)
    processor = transformers.BitImageProcessor(
        size={"shortest_edge": 40}, crop_size={"height": 32, "width": 32}
    )
    processor.save_pretrained(tmp_path)
    transform = Hf(str(tmp_path), image_size=64).make_img_transform()
    own = transformers.BitImageProcessorPil(
        size={"shortest_edge": 80}, crop_size={"height": 64, "width": 64}
    )
    picture = make_picture(100)
    expected = own(images=picture, return_tensors="pt")["pixel_values"][0]
    assert torch.equal(transform(picture), expected)


@pytest.mark.parametrize("name", ["RadioModel", "Tipsv2VisionModel"])
def test_pixels_that_the_model_normalises_itself_are_not_normalised_twice(name, tmp_path):
    make_model(name).save_pretrained(tmp_path)
    # As somebody would who takes any processor at hand.
    size = {"height": SIZE, "width": SIZE}
    transformers.ViTImageProcessor(size=size, do_normalize=True).save_pretrained(tmp_path)
    transform = Hf(str(tmp_path)).make_img_transform()
    assert float(transform(Image.new("RGB", (40, 40), (255,) * 3)).max()) == pytest.approx(1.0)
    assert float(transform(Image.new("RGB", (40, 40))).min()) == 0.0


def make_two_towers(kind: str):
    text = {
        "hidden_size": 32,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 32,
        "vocab_size": 50,
    }
    config = getattr(transformers, f"{kind}Config")(text_config=text, vision_config=VIT)
    return getattr(transformers, f"{kind}Model")(config).eval().requires_grad_(False)


@pytest.mark.parametrize("kind", ["Siglip", "CLIP", "MetaClip2"])
def test_of_two_towers_that_of_the_pictures_is_taken(kind, tmp_path):
    torch.manual_seed(1)
    both = make_two_towers(kind)
    both.save_pretrained(tmp_path)
    save_processor("ViTModel", tmp_path)
    backbone = Hf(str(tmp_path))
    batch = torch.randn(2, 3, SIZE, SIZE)
    with torch.inference_mode():
        expected = both.vision_model(pixel_values=batch).pooler_output
        assert torch.equal(backbone.img_encode(batch).img_features, expected)
    assert not any("text" in name for name in backbone.state_dict())


def test_a_layer_that_is_missing_or_too_many_is_refused_by_name(tmp_path):
    from safetensors.torch import load_file, save_file

    ckpt = save("Dinov2Model", tmp_path)
    path = tmp_path / "model.safetensors"
    state = load_file(path)
    name = next(name for name in state if "layer.1.norm1.weight" in name)
    other = {n: t.clone() for n, t in state.items() if n != name}
    other["encoder.layer.7.norm1.weight"] = torch.zeros(32)
    save_file(other, path, metadata={"format": "pt"})
    with pytest.raises(BadInput, match=r"missing: .*layer\.1\.norm1.*unexpected: .*layer\.7"):
        Hf(ckpt)


def test_weights_of_another_shape_are_refused_by_name(tmp_path):
    ckpt = save("Dinov2Model", tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"hidden_size": 64}))
    with pytest.raises(BadInput, match=r"do not fit"):
        Hf(ckpt)


def test_a_truncated_file_is_one_sentence(tmp_path):
    ckpt = save("Dinov2Model", tmp_path)
    path = tmp_path / "model.safetensors"
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(BadInput, match="cannot be read: ") as caught:
        Hf(ckpt)
    assert "\n" not in str(caught.value)


def test_pickled_code_is_never_run(tmp_path):
    ckpt = save("Dinov2Model", tmp_path)
    (tmp_path / "model.safetensors").unlink()
    torch.save({"a": Runs()}, tmp_path / "pytorch_model.bin")
    with pytest.raises(BadInput, match="could run code"):
        Hf(ckpt)
    assert not MARK.exists()


MARK = pathlib.Path(__file__).with_name("was_run")


class Runs:
    def __reduce__(self):
        return (pathlib.Path.touch, (MARK,))


def test_without_an_image_processor_nobody_knows_the_pixels(tmp_path):
    make_model("Dinov2Model").save_pretrained(tmp_path)
    with pytest.raises(BadInput, match=r"preprocessor_config\.json"):
        Hf(str(tmp_path))


@pytest.mark.parametrize(
    "kind, says",
    [
        ("dinov2_with_register", "Did you mean 'dinov2_with_registers'"),
        ("bert", "nobody has stated"),
    ],
)
def test_a_model_that_is_in_no_row_is_refused(kind, says, tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"model_type": kind}))
    with pytest.raises(BadInput, match=says):
        Hf(str(tmp_path))


@pytest.mark.parametrize("ckpt", ["dinov2", "./nowhere", "a/b/c"])
def test_a_name_that_is_neither_folder_nor_repository_is_refused(ckpt):
    with pytest.raises(BadInput, match="neither a folder nor written hf:ORG/REPO"):
        Hf.check_ckpt(ckpt)


def test_a_repository_that_is_not_cached_is_a_sentence_offline():
    with pytest.raises(BadInput, match=r"hub's some-lab/some-model.*not in the local cache"):
        registry.load_vision_backbone("hf", "some-lab/some-model")


COMMIT = "0123456789" * 4
CODE = """
import torch
from transformers import PretrainedConfig, PreTrainedModel
from transformers.modeling_outputs import BaseModelOutputWithPooling


class OwnConfig(PretrainedConfig):
    model_type = "own"


class OwnModel(PreTrainedModel):
    config_class = OwnConfig

    def __init__(self, config):
        super().__init__(config)
        self.patch = torch.nn.Conv2d(3, 8, 8, 8)
        self.post_init()

    def forward(self, pixel_values, **kwargs):
        tokens = self.patch(pixel_values).flatten(2).transpose(1, 2)
        return BaseModelOutputWithPooling(
            last_hidden_state=tokens, pooler_output=tokens.mean(dim=1) * 2
        )
"""


@pytest.fixture
def cached(tmp_path, monkeypatch):
    """A repository with code of its own in the hub's cache."""
    from safetensors.torch import save_file

    monkeypatch.setenv("BIOBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_MODULES_CACHE", str(tmp_path / "modules"))
    repo = tmp_path / "cache" / "models--my-lab--own"
    snapshot = repo / "snapshots" / COMMIT
    snapshot.mkdir(parents=True)
    (repo / "refs").mkdir()
    (repo / "refs" / "main").write_text(COMMIT)
    (snapshot / "own.py").write_text(CODE)
    auto = {"AutoConfig": "own.OwnConfig", "AutoModel": "own.OwnModel"}
    (snapshot / "config.json").write_text(json.dumps({"model_type": "own", "auto_map": auto}))
    torch.manual_seed(0)
    state = {"patch.weight": torch.randn(8, 3, 8, 8), "patch.bias": torch.zeros(8)}
    save_file(state, snapshot / "model.safetensors", metadata={"format": "pt"})
    save_processor("ViTModel", snapshot)
    return state


def test_code_of_a_repository_runs_only_at_the_commit_that_was_named(cached):
    with pytest.raises(BadInput, match=r"code of its own.*--trust my-lab/own@COMMIT"):
        Hf("my-lab/own")
    for trust in ("my-lab/own@main", "my-lab/own", "my-lab/own@0123"):
        with pytest.raises(BadInput, match="40 hexadecimal digits"):
            Hf("my-lab/own", trust=(trust,))
    with pytest.raises(BadInput, match=r"--trust my-lab/own@COMMIT"):
        Hf("my-lab/own", trust=(f"other-lab/own@{COMMIT}",))
    with pytest.raises(BadInput, match="not in the local cache"):
        Hf("my-lab/own", trust=(f"my-lab/own@{'f' * 40}",))
    backbone = Hf("my-lab/own", trust=(f"my-lab/own@{COMMIT}",))
    assert f"my-lab/own at commit {COMMIT}, by its own code" in backbone.weights_source
    batch = torch.randn(2, 3, SIZE, SIZE)
    weight, bias = cached["patch.weight"], cached["patch.bias"]
    grid = torch.nn.functional.conv2d(batch, weight, bias, stride=8)
    with torch.inference_mode():
        found = backbone.img_encode(batch).img_features
    torch.testing.assert_close(found, grid.mean(dim=(2, 3)) * 2)


def test_a_repository_of_the_cache_is_read_and_its_commit_told(cached, tmp_path):
    snapshot = tmp_path / "cache" / "models--my-lab--own" / "snapshots" / COMMIT
    save("Dinov2Model", snapshot)
    backbone = Hf("my-lab/own@main")
    assert backbone.weights_source == f"the Hugging Face hub's my-lab/own at commit {COMMIT}"
