"""The public contract: every name, field, default and signature that others may build on."""

import dataclasses
import inspect
import json
import pathlib
import subprocess
import sys
import textwrap

import pytest
import torch
from torchvision import transforms

from biobench import interfaces, metrics, registry, third_party_models
from biobench.interfaces import EncodedImgBatch, Example, TaskArgs, TaskReport, VisionBackbone
from biobench.metrics import MacroAccuracy, MacroF1, MeanScore

EMPTY = inspect.Parameter.empty


def get_params(function):
    signature = inspect.signature(function)
    return [(name, param.default) for name, param in signature.parameters.items()]


def get_fields(cls):
    return [field.name for field in dataclasses.fields(cls)]


def run_python(code, **env):
    import os

    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        env={**os.environ, **env},
    )


@pytest.mark.parametrize(
    ("function", "params"),
    [
        (interfaces.get_git_hash, []),
        (VisionBackbone.img_encode, [("self", EMPTY), ("batch", EMPTY)]),
        (VisionBackbone.make_img_transform, [("self", EMPTY)]),
        (
            TaskReport.get_confidence_interval,
            [
                ("self", EMPTY),
                ("statistic", "mean"),
                ("confidence", 95),
                ("n_resamples", 500),
                ("seed", 42),
            ],
        ),
        (TaskReport.get_mean_score, [("self", EMPTY)]),
        (TaskReport.to_dict, [("self", EMPTY)]),
        (registry.register_vision_backbone, [("model_org", EMPTY), ("cls", EMPTY)]),
        (registry.load_vision_backbone, [("model_org", EMPTY), ("ckpt", EMPTY)]),
        (registry.list_vision_backbones, []),
    ],
)
def test_signatures_and_defaults_are_the_published_ones(function, params):
    assert get_params(function) == params


@pytest.mark.parametrize("cls", [third_party_models.OpenClip, third_party_models.TimmVit])
def test_adapters_are_built_from_a_checkpoint_and_keywords(cls):
    kinds = [param.kind for param in inspect.signature(cls).parameters.values()]
    assert next(iter(inspect.signature(cls).parameters)) == "ckpt"
    assert kinds[-1] is inspect.Parameter.VAR_KEYWORD
    assert issubclass(cls, VisionBackbone)


@pytest.mark.parametrize(
    ("cls", "fields"),
    [
        (interfaces.EncodedImgBatch, ["img_features", "patch_features"]),
        (TaskArgs, ["seed", "datadir", "device", "debug"]),
        (Example, ["id", "score", "info"]),
        (
            TaskReport,
            ["name", "examples", "splits", "calc_mean_score", "argv", "commit"]
            + ["posix_time", "gpu_name", "hostname"],
        ),
    ],
)
def test_dataclasses_start_with_the_published_fields(cls, fields):
    assert get_fields(cls)[: len(fields)] == fields
    assert cls.__dataclass_params__.frozen
    for field in dataclasses.fields(cls)[len(fields) :]:
        assert (
            field.default is not dataclasses.MISSING
            or field.default_factory is not dataclasses.MISSING
        )


def test_task_args_have_the_published_defaults():
    args = TaskArgs()
    assert (args.seed, args.datadir, args.device, args.debug) == (42, "", "cuda", False)


@pytest.mark.parametrize(
    ("name", "title", "batch_size"),
    [
        ("newt", "NeWT", 256),
        ("plantnet", "Pl@ntNet", 256),
        ("iwildcam", "iWildCam", 2048),
        ("kabr", "KABR", 16),
    ],
)
def test_the_core_tasks_have_their_published_defaults(name, title, batch_size):
    task = registry.load_task(name)
    args = task.Args()
    assert isinstance(args, TaskArgs)
    assert (args.batch_size, args.n_workers) == (batch_size, 4)
    assert task.protocol(args).title == title
    assert get_params(task.benchmark) == [("args", EMPTY), ("model_args", EMPTY)]
    if name == "kabr":
        assert args.frame_agg == "mean"


def test_the_base_backbone_must_be_filled_in():
    backbone = VisionBackbone()
    with pytest.raises(NotImplementedError):
        backbone.img_encode(torch.zeros(1, 3, 4, 4))
    with pytest.raises(NotImplementedError):
        backbone.make_img_transform()


def test_the_published_orgs_are_known_and_an_unknown_one_names_them():
    assert {"open-clip", "timm-vit", "timm", "baseline"} <= set(registry.list_vision_backbones())
    with pytest.raises(ValueError, match=r"open-clip.*timm-vit"):
        registry.load_vision_backbone("open-klip", "ViT-B-16/openai")
    with pytest.raises(ValueError, match="Did you mean 'open-clip'"):
        registry.load_vision_backbone("open-klip", "ViT-B-16/openai")


def test_registering_twice_warns(monkeypatch):
    monkeypatch.setattr(registry.BACKBONES, "registered", {})

    class Mine(VisionBackbone):
        def __init__(self, ckpt):
            super().__init__()

        def img_encode(self, batch):
            return EncodedImgBatch(batch.flatten(1), None)

        def make_img_transform(self):
            return transforms.ToTensor()

    registry.register_vision_backbone("my-lab", Mine)
    assert isinstance(registry.load_vision_backbone("my-lab", "x"), Mine)

    class Other(Mine):
        pass

    with pytest.warns(UserWarning, match="my-lab"):
        registry.register_vision_backbone("my-lab", Other)
    assert isinstance(registry.load_vision_backbone("my-lab", "x"), Other)


def test_another_package_adds_backbones_and_tasks_by_entry_points(tmp_path):
    (tmp_path / "lab.py").write_text(
        "from biobench.interfaces import VisionBackbone\n"
        "class Net(VisionBackbone):\n"
        "    def __init__(self, ckpt): super().__init__()\n"
        "    def img_encode(self, batch): ...\n"
        "    def make_img_transform(self): ...\n"
    )
    (tmp_path / "labtask.py").write_text(
        "from biobench.interfaces import TaskArgs as Args\n"
        "def load(args): ...\n"
        "def protocol(args): ...\n"
        "def benchmark(args, model_args): ...\n"
    )
    info = tmp_path / "lab-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: lab\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[biobench.backbones]\nlab = lab:Net\n[biobench.tasks]\nmoths = labtask\n"
    )
    code = """
        from biobench import registry
        assert "lab" in registry.list_vision_backbones() and "moths" in registry.list_tasks()
        assert type(registry.load_vision_backbone("lab", "x")).__name__ == "Net"
        assert registry.load_task("moths").__name__ == "labtask"
    """
    done = run_python(code, PYTHONPATH=str(tmp_path))
    assert done.returncode == 0, done.stderr


def test_the_contract_needs_no_subprocess_git_or_torch_to_import():
    code = """
        import subprocess, sys
        def refuse(*args, **kwargs): raise AssertionError("a subprocess was run")
        subprocess.Popen = subprocess.run = refuse
        import biobench.interfaces, biobench.registry, biobench.metrics
        assert "torch" not in sys.modules and "polars" not in sys.modules
    """
    done = run_python(code, PATH="/nonexistent")
    assert done.returncode == 0, done.stderr


def test_the_commit_is_git_s_in_a_checkout_and_unknown_without_git(tmp_path):
    root = pathlib.Path(interfaces.__file__).parents[2]
    if (root / ".git").exists():
        head = subprocess.check_output(["git", "-C", root, "rev-parse", "HEAD"], text=True)
        assert interfaces.get_git_hash() == head.strip()
    code = "from biobench.interfaces import get_git_hash; print(get_git_hash())"
    done = run_python(code, PATH="/nonexistent")
    assert done.stdout.strip() == "unknown", done.stderr


def test_an_installed_copy_names_its_recorded_commit_even_inside_another_repository(tmp_path):
    package = pathlib.Path(interfaces.__file__).parent
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    copy = tmp_path / "lib" / "biobench"
    copy.mkdir(parents=True)
    for name in ("__init__.py", "contract.py", "interfaces.py", "fields.py"):
        (copy / name).write_text((package / name).read_text())
    code = "from biobench.interfaces import get_git_hash; print(get_git_hash())"
    assert run_python(code, PYTHONPATH=str(copy.parent)).stdout.strip() == "unknown"
    (copy / "_commit.txt").write_text("abc123\n")
    assert run_python(code, PYTHONPATH=str(copy.parent)).stdout.strip() == "abc123"


def mean_score(examples):
    """A user's own metric."""
    return sum(example.score for example in examples) / len(examples)


@pytest.mark.parametrize("metric", [MeanScore(), MacroF1(), MacroAccuracy(), mean_score])
def test_a_report_scores_itself_and_its_interval_contains_the_score(metric):
    labels = ["ant", "bee", "wasp"]
    examples = [
        Example(f"img-{i}", float(i % 4 != 0), {"y_true": labels[i % 3], "y_pred": labels[j]})
        for i in range(60)
        for j in [i % 3 if i % 4 else (i + 1) % 3]
    ]
    report = TaskReport("Insects", examples, {"half": 0.5}, metric)
    low, high = report.get_confidence_interval()
    assert low <= report.get_mean_score() <= high
    assert 0 <= low < high <= 1
    assert report.get_confidence_interval() == (low, high)


def test_a_report_becomes_plain_json_with_every_field_but_the_callable():
    import numpy as np

    examples = [Example("a", 1.0, {"y_true": np.int64(3), "scores": np.arange(2), "path": None})]
    report = TaskReport("T", examples, {"x": 0.5}, MeanScore())
    dct = report.to_dict()
    assert set(dct) == set(get_fields(TaskReport)) - {"calc_mean_score"}
    assert json.loads(json.dumps(dct)) == dct
    assert dct["examples"][0]["info"] == {"y_true": 3, "scores": [0, 1], "path": None}
    assert report.gpu_name and report.hostname and report.commit


@pytest.mark.parametrize("name", metrics.list_metrics())
def test_every_metric_is_found_by_its_name(name):
    metric = metrics.get_metric(name)
    assert metric.name == name and callable(metric)
