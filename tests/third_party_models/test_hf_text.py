"""The text towers of SigLIP in transformers' format equal transformers' own calls."""

import contextlib
import importlib
import json
import shutil

import numpy as np
import pytest
import tokenizers
import torch
import transformers
from PIL import Image

import reading_models
from biobench import evaluate, folder, results
from biobench.errors import BadInput
from biobench.features.text import text_digest
from biobench.third_party_models import Hf

LABELS = ["fox", "lynx", "moth", "wolf"]
SIZE, CONTEXT = 32, 6
VISION = {
    "hidden_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "image_size": SIZE,
    "patch_size": 16,
}
PROMPTS = ["fox", "a Wolf", "the moth of a lynx and a fox and a wolf"]


def save_tokenizer(place):
    words = ["<pad>", "<unk>", "a", *LABELS, "the", "of", "and"]
    table = {word: number for number, word in enumerate(words)}
    made = tokenizers.Tokenizer(tokenizers.models.WordLevel(table, unk_token="<unk>"))
    made.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=made, pad_token="<pad>", unk_token="<unk>", model_max_length=CONTEXT
    ).save_pretrained(place)


def save(kind, place):
    """A model with both towers and random weights, which tell pictures and texts apart."""
    torch.manual_seed(0)
    text = {k: v for k, v in VISION.items() if k not in ("image_size", "patch_size")}
    text |= {"max_position_embeddings": CONTEXT}
    # Ids of Siglip2Tokenizer's own special tokens included.
    text |= {"vocab_size": 40, "bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 0}
    vision = VISION | ({"num_patches": 4} if kind == "Siglip2" else {})
    config = getattr(transformers, f"{kind}Config")(text_config=text, vision_config=vision)
    model = getattr(transformers, f"{kind}Model")(config)
    for name, parameter in model.named_parameters():
        if "logit" not in name:
            parameter.data.add_(torch.randn_like(parameter) * 0.2)
    model.logit_scale.data.fill_(2.0)
    if kind.startswith("Siglip"):
        model.logit_bias.data.fill_(-3.0)
    model.save_pretrained(place)
    save_tokenizer(place)
    if kind == "Siglip2":
        made = transformers.Siglip2ImageProcessor(patch_size=16, max_num_patches=4)
    else:
        made = transformers.ViTImageProcessor(size={"height": SIZE, "width": SIZE})
    made.save_pretrained(place)
    return place


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    root = tmp_path_factory.mktemp("reads")
    return {kind: save(kind, root / kind) for kind in ("Siglip", "Siglip2", "CLIP", "MetaClip2")}


def load_own(place):
    # Frozen, because torch's attention takes another path, and rounds otherwise, where it is not.
    own = transformers.AutoModel.from_pretrained(place).eval().requires_grad_(False)
    return own, transformers.AutoTokenizer.from_pretrained(place)


def read(own, tokenizer, prompts):
    options = dict(padding="max_length", truncation=True, max_length=CONTEXT, return_tensors="pt")
    tokenizer.padding_side = "right"  # as the published repositories have it
    ids = tokenizer([prompt.lower() for prompt in prompts], **options)["input_ids"]
    with torch.inference_mode():
        return own.get_text_features(input_ids=ids).pooler_output


@pytest.mark.parametrize("kind", ["Siglip", "Siglip2"])
def test_texts_become_what_transformers_makes_of_them(kind, saved):
    tower = Hf.load_text_tower(str(saved[kind]))
    own, tokenizer = load_own(saved[kind])
    with torch.inference_mode():
        found = tower.txt_encode(PROMPTS)
    assert torch.equal(found, read(own, tokenizer, PROMPTS))
    assert len(found.unique(dim=0)) == len(PROMPTS)
    assert (tower.link, tower.logit_bias) == ("sigmoid", -3)
    assert tower.logit_scale == pytest.approx(np.exp(2))
    assert not any("vision" in name for name in tower.state_dict())
    assert not any(parameter.requires_grad for parameter in tower.parameters())


def test_case_is_not_seen_and_what_is_too_long_is_cut_off(saved):
    tower = Hf.load_text_tower(str(saved["Siglip"]))
    with torch.inference_mode():
        found = tower.txt_encode(["A FOX of the moth and a wolf", "a fox of the moth and", "a"])
    torch.testing.assert_close(found[0], found[1])
    assert not torch.allclose(found[1], found[2])


def test_the_logits_of_pictures_and_texts_are_the_models_own(saved):
    tower, backbone = Hf.load_text_tower(str(saved["Siglip"])), Hf(str(saved["Siglip"]))
    own, tokenizer = load_own(saved["Siglip"])
    pixels = torch.rand(2, 3, SIZE, SIZE)
    options = dict(padding="max_length", max_length=CONTEXT, return_tensors="pt")
    ids = tokenizer(LABELS, **options)["input_ids"]
    with torch.inference_mode():
        x = torch.nn.functional.normalize(backbone.img_encode(pixels).img_features, dim=-1)
        w = torch.nn.functional.normalize(tower.txt_encode(LABELS), dim=-1)
        expected = own(input_ids=ids, pixel_values=pixels).logits_per_image
    torch.testing.assert_close(tower.logit_scale * x @ w.T + tower.logit_bias, expected)


def test_a_zero_shot_run_equals_a_plain_loop_over_transformers_own_calls(
    saved, tmp_path, monkeypatch
):
    monkeypatch.setenv("BIOBENCH_CACHE", str(tmp_path / "cache"))
    reading_models.write_pictures(tmp_path / "pictures", LABELS)
    args = folder.Args(
        datadir=str(tmp_path / "pictures"),
        probe="zero-shot",
        templates="none",
        device="cpu",
        n_workers=0,
    )
    _, report = folder.benchmark(args, ("hf", str(saved["Siglip"])))
    table = results.to_table(report.examples)
    own, tokenizer = load_own(saved["Siglip"])
    processor = transformers.AutoImageProcessor.from_pretrained(saved["Siglip"], backend="pil")
    options = dict(padding="max_length", max_length=CONTEXT, return_tensors="pt")
    ids = tokenizer(LABELS, **options)["input_ids"]
    assert table.height == 16 and table["y_pred"].n_unique() > 1
    for row in table.rows(named=True):
        picture = Image.open(tmp_path / "pictures" / row["example"])
        pixels = processor(images=picture, return_tensors="pt")["pixel_values"]
        with torch.inference_mode():
            logits = own(input_ids=ids, pixel_values=pixels).logits_per_image[0].double()
        order = logits.argsort(descending=True).tolist()
        assert row["y_pred"] == LABELS[order[0]]
        np.testing.assert_allclose(row["top_scores"], logits[order].numpy(), atol=1e-4)
        p = logits.sigmoid()
        np.testing.assert_allclose(row["probability"], float((p / p.sum()).max()), atol=1e-5)


def test_a_commit_for_the_pictures_alone_is_refused(tmp_path):
    reading_models.write_pictures(tmp_path, LABELS, n=1)
    trust = (f"lab/reads@{'1' * 40}",)
    args = folder.Args(datadir=str(tmp_path), probe="zero-shot", trust=trust)
    with pytest.raises(BadInput, match="--trust has nothing to allow"):
        folder.benchmark(args, ("hf", "lab/reads"))


@pytest.mark.parametrize("kind", ["CLIP", "MetaClip2"])
def test_a_model_whose_pictures_are_not_projected_is_refused_before_its_weights(
    kind, saved, tmp_path
):
    shutil.copy(saved[kind] / "config.json", tmp_path)
    args = folder.Args(datadir="none", probe="zero-shot")
    for refuse in (
        lambda: evaluate.get_source(args, ("hf", str(tmp_path))),
        lambda: Hf.load_text_tower(str(tmp_path)),
    ):
        with pytest.raises(BadInput, match=r"before the projection.*open-clip:ViT-B-16/openai"):
            refuse()


def test_a_repository_of_pictures_alone_has_no_text_tower(tmp_path):
    transformers.SiglipVisionConfig(**VISION).save_pretrained(tmp_path)
    assert not Hf.has_text_tower(str(tmp_path))
    args = folder.Args(datadir="none", probe="zero-shot")
    with pytest.raises(BadInput, match="has no text tower, which the probe 'zero-shot' needs"):
        evaluate.get_source(args, ("hf", str(tmp_path)))


def test_who_has_a_text_tower_is_known_without_weights(saved, tmp_path):
    shutil.copy(saved["Siglip"] / "config.json", tmp_path)
    assert Hf.has_text_tower(str(tmp_path))
    config = json.loads((tmp_path / "config.json").read_text())
    config["vision_config"]["vision_use_head"] = False
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(BadInput, match="lacks the attention-pooling head"):
        Hf.has_text_tower(str(tmp_path))


def test_a_tokenizer_that_cannot_be_had_is_said_in_one_sentence(saved, tmp_path, monkeypatch):
    place = shutil.copytree(saved["Siglip"], tmp_path / "copy")
    path = place / "tokenizer_config.json"
    settings = json.loads(path.read_text())
    path.write_text(json.dumps(settings | {"tokenizer_class": "SiglipTokenizer"}))
    # As where a package is missing.
    other = transformers.AutoTokenizer.from_pretrained(saved["Siglip"])
    for answer in (lambda *_, **__: other, lambda *_, **__: importlib.import_module("no_such")):
        with monkeypatch.context() as patch:
            patch.setattr(transformers.AutoTokenizer, "from_pretrained", answer)
            with pytest.raises(BadInput, match="pip install sentencepiece protobuf"):
                Hf.load_text_tower(str(place))
    path.write_text("{}")
    with pytest.raises(BadInput, match="does not say its tokenizer_class"):
        Hf.load_text_tower(str(place))
    path.unlink()
    with pytest.raises(BadInput, match=r"The tokenizer of .* is not beside its weights"):
        Hf.load_text_tower(str(place))


def test_code_that_a_tokenizer_brings_is_never_run(saved, tmp_path):
    place = shutil.copytree(saved["Siglip"], tmp_path / "copy")
    path = place / "tokenizer_config.json"
    own = {"tokenizer_class": "Own", "auto_map": {"AutoTokenizer": ["own.Own", "own.Own"]}}
    path.write_text(json.dumps(json.loads(path.read_text()) | own))
    mark = tmp_path / "was_run"
    (place / "own.py").write_text(
        "import pathlib\nimport transformers\n"
        f"pathlib.Path({str(mark)!r}).touch()\n"
        "class Own(transformers.PreTrainedTokenizerFast):\n    pass\n"
    )
    with contextlib.suppress(BadInput):
        Hf.load_text_tower(str(place))
    assert not mark.exists()


def test_the_key_is_of_the_weights_and_the_tokenizer_wherever_they_lie(saved, tmp_path):
    place = shutil.copytree(saved["Siglip"], tmp_path / "copy")
    before = text_digest(Hf.load_text_tower(str(saved["Siglip"])))
    tower = Hf.load_text_tower(str(place))
    assert text_digest(tower) == before
    tower.model.text_model.final_layer_norm.bias.data[0] += 0.5
    assert text_digest(tower) != before
    words = (place / "tokenizer.json").read_text()
    (place / "tokenizer.json").write_text(words.replace('"lynx": 4', '"cat": 4'))
    assert text_digest(Hf.load_text_tower(str(place))) != before


def test_a_hub_repository_is_read_from_its_snapshot(saved, tmp_path, monkeypatch):
    monkeypatch.setenv("BIOBENCH_CACHE", str(tmp_path))
    commit = "1" * 40
    repo = tmp_path / "models--lab--reads"
    shutil.copytree(saved["Siglip"], repo / "snapshots" / commit)
    (repo / "refs").mkdir()
    (repo / "refs" / "main").write_text(commit)
    assert Hf.has_text_tower("lab/reads")
    tower = Hf.load_text_tower("lab/reads")
    assert tower.weights_source == Hf("lab/reads").weights_source
    assert tower.weights_source.endswith(f"lab/reads at commit {commit}")
