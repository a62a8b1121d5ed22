"""The text towers of OpenCLIP are the library's own, to the bit."""

import json

import open_clip
import pytest
import torch

import reading_models
import small_checkpoints
from biobench.errors import BadInput
from biobench.features.digest import backbone_digest
from biobench.features.text import text_digest
from biobench.third_party_models import OpenClip, TimmVit, openclip_text

PROMPTS = ["a photo of a red fox.", "Pica hudsonia", "Naïve MOTH, with_underscores & more " * 9]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return reading_models.save_models(tmp_path_factory.mktemp("reading"))


def load_both(arch, files):
    tower = OpenClip.load_text_tower(f"local:{arch}/{files[arch]}")
    # Frozen, because torch's attention takes another path, and rounds otherwise, where it is not.
    own = open_clip.create_model(arch, pretrained=str(files[arch])).eval().requires_grad_(False)
    return tower, own, open_clip.get_tokenizer(arch)


@pytest.mark.parametrize("arch", sorted(reading_models.MODELS))
def test_texts_become_what_openclip_makes_of_them(arch, files):
    tower, own, tokenizer = load_both(arch, files)
    with torch.inference_mode():
        found = tower.txt_encode(PROMPTS)
        assert torch.equal(found, own.encode_text(tokenizer(PROMPTS)))
    assert tower.logit_scale == pytest.approx(float(own.logit_scale.exp()))
    assert not any(parameter.requires_grad for parameter in tower.parameters())


def test_the_logits_are_the_models_own(files):
    for arch in reading_models.MODELS:
        tower, own, tokenizer = load_both(arch, files)
        backbone = OpenClip(f"local:{arch}/{files[arch]}")
        picture = torch.rand(2, *backbone.data_config()["input_size"])
        with torch.inference_mode():
            x = torch.nn.functional.normalize(backbone.img_encode(picture).img_features, dim=-1)
            w = torch.nn.functional.normalize(tower.txt_encode(PROMPTS), dim=-1)
            found = tower.logit_scale * x @ w.T + tower.logit_bias
            expected, _ = own.get_logits(picture, tokenizer(PROMPTS))
        torch.testing.assert_close(found, expected)


def test_a_bias_of_the_logits_tells_siglip_from_clip(files):
    links = {arch: load_both(arch, files)[0] for arch in reading_models.MODELS}
    assert links["reads-clip"].link == "softmax" and links["reads-clip"].logit_bias == 0
    assert links["reads-sig"].link == "sigmoid" and links["reads-sig"].logit_bias == -10


def test_only_the_text_tower_is_kept(files):
    tower, own, _ = load_both("reads-clip", files)
    names = {name.removeprefix("model.") for name in tower.state_dict()}
    assert names == {name for name in own.state_dict() if not name.startswith("visual.")}


def test_the_text_of_a_coca_model_is_encoded_without_its_decoder(tmp_path):
    config = small_checkpoints.COCA_CONFIG
    text = {**config["text_cfg"], "vocab_size": 49408, "context_length": 16}
    decoder = {**config["multimodal_cfg"], "context_length": 16}
    config = {**config, "text_cfg": text, "multimodal_cfg": decoder}
    (tmp_path / "reads-coca.json").write_text(json.dumps(config))
    open_clip.add_model_config(tmp_path / "reads-coca.json")
    own = open_clip.create_model("reads-coca").eval().requires_grad_(False)
    torch.save(own.state_dict(), tmp_path / "coca.pt")
    tower = OpenClip.load_text_tower(f"local:reads-coca/{tmp_path / 'coca.pt'}")
    tokens = open_clip.get_tokenizer("reads-coca")(PROMPTS)
    with torch.inference_mode():
        assert torch.equal(tower.txt_encode(PROMPTS), own.encode_text(tokens, normalize=False))
    assert not any("decoder" in name or "visual" in name for name in tower.state_dict())


def test_another_tokenizer_or_weight_or_scale_is_another_key(files):
    tower, *_ = load_both("reads-clip", files)
    digests = {text_digest(tower), text_digest(tower, precision="fp16")}
    assert text_digest(tower) in digests and len(digests) == 2
    for arguments in (dict(clean="canonicalize"), dict(context_length=20)):
        tower._described = openclip_text.describe_tokenizer(
            open_clip.get_tokenizer("reads-clip", **arguments)
        )
        digests.add(text_digest(tower))
    tower.model.ln_final.bias.data[0] += 0.5
    digests.add(text_digest(tower))
    tower.logit_scale *= 2
    digests.add(text_digest(tower))
    assert len(digests) == 6


def test_reading_changes_neither_the_key_nor_the_weights_of_the_pictures(files):
    name = f"local:reads-clip/{files['reads-clip']}"
    before = OpenClip(name)
    OpenClip.load_text_tower(name)
    assert backbone_digest(before) == backbone_digest(OpenClip(name))
    assert all(key.startswith("tower.") for key in before.state_dict())


def test_who_has_a_text_tower_is_known_without_weights():
    assert OpenClip.has_text_tower("ViT-B-16/openai")
    assert not TimmVit.has_text_tower("vit_base_patch16_224.augreg_in1k")
    with pytest.raises(NotImplementedError, match="TimmVit has no text tower"):
        TimmVit.load_text_tower("vit_base_patch16_224.augreg_in1k")


def test_a_tokenizer_that_cannot_be_had_is_said_in_one_sentence(tmp_path, monkeypatch, files):
    config = {**reading_models.CLIP, "text_cfg": {**reading_models.CLIP["text_cfg"]}}
    config["text_cfg"]["hf_tokenizer_name"] = "lab/words"
    (tmp_path / "open_clip_config.json").write_text(json.dumps({"model_cfg": config}))
    with pytest.raises(BadInput, match=r"The tokenizer of 'hf-hub:lab/m', which zero-shot needs"):
        openclip_text.fetch_tokenizer("hf-hub:lab/m", tmp_path)
    (tmp_path / "vocab.txt").write_text("a\n")
    openclip_text.fetch_tokenizer("hf-hub:lab/m", tmp_path)


def test_a_hub_repository_is_read_with_the_tokenizer_beside_its_weights(
    tmp_path, monkeypatch, files
):
    from safetensors.torch import save_file
    from tokenizers import Tokenizer, models, pre_tokenizers

    monkeypatch.setenv("BIOBENCH_CACHE", str(tmp_path))
    repo = tmp_path / "models--lab--reads"
    snapshot = repo / "snapshots" / ("1" * 40)
    snapshot.mkdir(parents=True)
    (repo / "refs").mkdir()
    (repo / "refs" / "main").write_text("1" * 40)
    save_file(torch.load(files["reads-clip"]), snapshot / "open_clip_model.safetensors")
    text = {**reading_models.CLIP["text_cfg"], "hf_tokenizer_name": "lab/reads"}
    config = {"model_cfg": {**reading_models.CLIP, "text_cfg": text}, "preprocess_cfg": {}}
    (snapshot / "open_clip_config.json").write_text(json.dumps(config))
    words = Tokenizer(models.WordLevel({"[PAD]": 0, "a": 1, "fox": 2, "?": 3}, unk_token="?"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    words.save(str(snapshot / "tokenizer.json"))
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", "pad_token": "[PAD]"}
    (snapshot / "tokenizer_config.json").write_text(json.dumps(settings))
    tower = OpenClip.load_text_tower("hf-hub:lab/reads")
    _, own, _ = load_both("reads-clip", files)
    tokens = torch.zeros(1, 24, dtype=torch.long)
    tokens[0, :2] = torch.tensor([1, 2])
    before = tower.cache_identity()
    with torch.inference_mode():
        assert torch.equal(tower.txt_encode(["a fox"]), own.encode_text(tokens))
    assert tower.cache_identity() == before
    again = OpenClip.load_text_tower("hf-hub:lab/reads")
    assert again.cache_identity() == before
