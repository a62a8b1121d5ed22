"""`biobench models` and `biobench doctor`, the user's own backbones included."""

import csv
import io
import json
import subprocess
import sys

import pytest

from biobench import catalog, registry
from biobench.cli import main

OWN = """
import torch
from torchvision.transforms import v2
from biobench.interfaces import EncodedImgBatch, VisionBackbone
from biobench.registry import register_vision_backbone

class Own(VisionBackbone):
    '''A backbone of our own.'''

    def __init__(self, ckpt):
        super().__init__()
        if ckpt == "broken":
            raise OSError("no such weights")
        self.net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(192, 8))
        self.train(ckpt == "training")

    def img_encode(self, batch):
        features = torch.nn.functional.dropout(self.net(batch), 0.5, self.training)
        return EncodedImgBatch(features, None)

    def make_img_transform(self):
        return v2.Compose([v2.Resize((8, 8)), v2.ToImage(), v2.ToDtype(torch.float32, scale=True)])

register_vision_backbone("own", Own)
"""


@pytest.fixture
def own(tmp_path, monkeypatch):
    """The name of a module that registers a backbone when it is imported."""
    (tmp_path / "own_backbone.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    yield "own_backbone"
    registry.BACKBONES.registered.pop("own", None)
    sys.modules.pop("own_backbone", None)


def test_models_prints_a_line_a_checkpoint_and_which_adapters_there_are(capsys):
    assert main(["models"]) == 0
    lines = capsys.readouterr().out.splitlines()
    named = {line.split()[0] for line in lines if line.startswith("  ") and line.strip()}
    assert {one.name for one in catalog.read_checkpoints()} <= named
    assert all(org in lines[-1] for org in registry.list_vision_backbones())


def test_models_as_json_has_the_fields_that_programs_read(capsys):
    wish = ["--family", "DINOv2", "--max-params", "100M", "--seen", "imagenet1k"]
    assert main(["models", *wish, "--format", "json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert rows
    for row in rows:
        assert {"name", "family", "params", "gflops", "licence", "seen"} <= set(row)
        assert row["family"] == "DINOv2" and row["params"] <= 100e6
        assert "imagenet1k" in row["seen"] and row["contamination"]["imagenet1k"] == "train"


def test_models_as_csv_has_a_row_a_checkpoint_and_a_column_a_task(capsys):
    assert main(["models", "--family", "bioclip", "--format", "csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [row["name"] for row in rows] == [one.name for one in catalog.choose(family="BioCLIP")]
    assert {row["inat21"] for row in rows} == {"train"}


def test_models_explains_each_finding_with_its_source(capsys):
    assert main(["models", "open-clip:hf-hub:imageomics/bioclip", "--explain"]) == 0
    out = capsys.readouterr().out
    assert "inat21 (train): " in out and "2103.16483" in out and "TreeOfLife-10M" in out


def test_models_loads_neither_torch_nor_polars():
    code = "import sys; from biobench.cli import main; main(['models']); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"torch", "polars", "numpy"} & set(done.stdout.splitlines()[-1].split())


@pytest.mark.parametrize(
    ("wish", "says"),
    [
        (["--seen", "inat"], "Did you mean 'inat21'"),
        (["--max-params", "many"], "write for example 100M"),
        (["--family", "dinov4"], "There are:"),
        (["timm:resnet51"], "The list has no checkpoint"),
        (["--adapters", "--format", "csv"], "table or json"),
    ],
)
def test_models_refuses_in_one_sentence_what_it_does_not_know(wish, says, capsys):
    assert main(["models", *wish]) == 2
    err = capsys.readouterr().err
    assert says in err and err.count("\n") == 1


def test_models_names_every_organisation_on_a_line(capsys):
    assert main(["models", "--adapters"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == registry.list_vision_backbones()
    assert "baseline:color-hog" in lines[0]


def test_models_as_json_has_the_users_own(own, capsys):
    assert main(["models", "--adapters", "--format", "json", "--imports", own]) == 0
    rows = {row["org"]: row for row in json.loads(capsys.readouterr().out)}
    assert {"open-clip", "timm-vit", "timm", "baseline", "own"} <= set(rows)
    assert rows["own"]["description"] == "A backbone of our own."
    assert rows["timm-vit"]["class"] == "biobench.third_party_models.timms.TimmVit"


def test_doctor_passes_a_sound_backbone(capsys):
    assert main(["doctor", "baseline:color-hist", "--device", "cpu"]) == 0
    out = capsys.readouterr().out
    assert "FAIL" not in out and "Fit for benchmarking." in out


def test_doctor_exits_with_1_and_says_what_to_do(own, capsys):
    arguments = ["doctor", "own:training", "--device", "cpu", "--imports", own]
    assert main(arguments) == 1
    assert "Call self.eval() at the end of __init__" in capsys.readouterr().out


def test_doctor_as_json_is_the_same_checks(own, capsys):
    assert main(["doctor", "own:x", "--device", "cpu", "--format", "json", "--imports", own]) == 0
    checks = {check["name"]: check for check in json.loads(capsys.readouterr().out)}
    assert checks["evaluation mode"]["status"] == "pass"
    assert checks["image features"]["value"] == "8 values, float32"


def test_a_backbone_that_cannot_be_made_is_a_failed_check(own, capsys):
    assert main(["doctor", "own:broken", "--device", "cpu", "--imports", own]) == 1
    assert "no such weights" in capsys.readouterr().out


@pytest.mark.parametrize(
    "model, says",
    [
        ("timms:x", "Did you mean 'timm'"),
        ("resnet50", "write ORG:CKPT"),
        ("timm:resnett50", "Did you mean 'resnet50'"),
        ("timm:resnet50", "cannot be downloaded"),
    ],
)
def test_a_model_that_does_not_exist_is_bad_input(model, says, capsys):
    assert main(["doctor", model, "--device", "cpu"]) == 2
    assert says in capsys.readouterr().err


def test_adapters_as_json_say_which_vector_of_a_checkpoint_is_benchmarked(capsys):
    assert main(["models", "--adapters", "--format", "json"]) == 0
    rows = {row["org"]: row["pooling"] for row in json.loads(capsys.readouterr().out)}
    dinov3 = next(row for row in rows["timm"] if "vit_*dinov3*" in row["checkpoints"])
    assert dinov3["vector"].startswith("the class token") and "DINOv3" in dinov3["source"]
    assert rows["timm-vit"][0]["source"] == "the rule of this adapter"


def test_doctor_tries_what_the_user_chose_or_says_that_it_cannot_be_chosen(capsys):
    lite = "timm:tf_efficientnet_lite0"
    command = ["doctor", lite, "--device", "cpu", "--pool", "max", "--image-size", "96"]
    assert main([*command, "--format", "json"]) == 0
    checks = {check["name"]: check["value"] for check in json.loads(capsys.readouterr().out)}
    assert checks["vector"] == "the maximum over the patches (--pool)"
    assert "3 x 96 x 96" in checks["transform"]
    assert main(["doctor", "baseline:hog", "--device", "cpu", "--pool", "max"]) == 2
    assert "takes no --pool" in capsys.readouterr().err


def test_each_listed_checkpoint_says_which_vector_of_it_is_benchmarked(capsys):
    assert main(["models", "--format", "json"]) == 0
    rows = {row["name"]: row["pooling"] for row in json.loads(capsys.readouterr().out)}
    assert rows["hf:facebook/dinov3-vits16-pretrain-lvd1689m"]["pool"] == "cls"
    assert rows["timm-vit:vit_huge_patch14_gap_224.in1k_ijepa"]["pool"] == "max"
    assert rows["hf:google/siglip2-base-patch16-224"]["vector"].startswith("the attention-pooling")
    adapters = registry.list_vision_backbones()
    for name, pooling in rows.items():
        # Of checkpoints that no adapter loads nothing can be said.
        assert (pooling is not None) == (name.partition(":")[0] in adapters), name
        assert pooling is None or pooling["source"]
    assert main(["models", "timm:vit_pe_spatial_base_patch16_512.fb", "--explain"]) == 0
    assert "  vector       the mean over the patches; made for" in capsys.readouterr().out
