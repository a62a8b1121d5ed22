"""The options of a run: cells stay the cells that they were, and an option is written once."""

import json
import pathlib
import subprocess
import sys

import polars as pl
import pytest
from PIL import Image

from biobench import args as args_module
from biobench import evaluate, features, launch, registry
from biobench.data import Manifest
from biobench.interfaces import Provenance

PROTOCOLS = {
    "newt": {
        (): "b541b7f2fe0406ae",
        ("seed", 7): "0fae43c6d70365d1",
        ("n_train", 5, "n_train_unit", "total"): "b84aa39375c6951e",
        ("probe", "knn"): "f04a5796eb4bffd3",
        ("folds", "kfold", "exif", True): "ed147cbf1bc837c2",
        ("debug", True): "7dd9d1ef1d2568c9",
        ("metrics", "brier accuracy brier"): "067f1cb676645b0f",
        ("batch_size", 3, "n_workers", 1, "precision", "fp16", "compile", True): "b541b7f2fe0406ae",
        ("resume", False, "device", "cpu"): "b541b7f2fe0406ae",
    },
    "kabr": {
        (): "944968c3395493c3",
        ("folds", "kfold", "exif", True): "e27391b7718e8f55",
        ("frame_agg", "max"): "ca786fd305dbc040",
    },
    "iwildcam": {
        (): "a427b3418b4cbe20",
        ("n_train", 5, "n_train_unit", "total"): "f691ff6f15947e51",
        ("id_test", True): "0107d5f94c4bf9ca",
    },
    "plantnet": {(): "663a2324e1864e10", ("probe", "knn"): "e1126a6b42c68c3d"},
    "folder": {
        (): "c439d09a03cb32c9",
        ("folds_test", 3, "title", "Moths"): "4eab4da416ca2f35",
        ("metric", "accuracy", "split_seed", 1): "dbea26d44ccb332f",
    },
}
"""the digest of each task's protocol alone, by what is given to its `Args`."""

CELLS = [
    (dict(tasks=["newt"]), ["newt.baseline-color-hog.94830587bc"]),
    (
        dict(
            tasks={"kabr": {"frame_agg": "max", "n_train": 3}},
            seeds=[1, 2],
            args={"probe": "knn", "exif": True},
        ),
        ["kabr.baseline-color-hog.17483d8b0e", "kabr.baseline-color-hog.707a73725f"],
    ),
    (
        dict(
            tasks={
                "moths": {"kind": "folder", "datadir": "/m", "columns": ["path=File"], "root": "/r"}
            },
            debug=True,
            args={"batch_size": "auto", "metrics": ["brier"]},
        ),
        ["moths.baseline-color-hog.8d0ff26b47"],
    ),
    (
        dict(models=[], features={"mine": "/v.parquet"}, tasks=["plantnet"], resume=False),
        ["plantnet.features-mine.19f3966c33"],
    ),
]


@pytest.fixture(scope="module")
def manifest(tmp_path_factory):
    root = tmp_path_factory.mktemp("pictures")
    rows = [(s, c, f"{s}{c}{i}") for s in ("train", "val", "test") for c in "ab" for i in range(3)]
    for *_, name in rows:
        (root / name).write_text(name)
    split, label, names = zip(*rows, strict=True)
    table = pl.DataFrame({"image": names, "example": names, "split": split, "label": label})
    table = table.with_columns(fold=pl.int_range(pl.len()) % 3)
    return Manifest.build(root, table, source="made", splits=("train", "val", "test"))


@pytest.mark.parametrize(
    ("name", "given"), [(name, given) for name, kept in PROTOCOLS.items() for given in kept]
)
def test_a_protocol_is_the_one_that_it_was(name, given, manifest, monkeypatch):
    task = registry.load_task(name)
    monkeypatch.setattr(task, "load", lambda args: manifest)
    fields = dict(zip(given[::2], given[1::2], strict=True))
    if "metrics" in fields:
        fields["metrics"] = fields["metrics"].split()
    args = task.Args(**fields)
    found = evaluate.prepare(task, args).protocol
    assert Provenance(protocol=found).protocol_digest() == PROTOCOLS[name][given]


@pytest.mark.parametrize(("fields", "ids"), CELLS)
def test_a_cell_has_the_id_that_it_had(fields, ids):
    fields = {"models": ["baseline:color-hog"], "data": "/data", **fields}
    assert [cell.id for cell in launch.make_plan(launch.Settings(**fields)).cells] == ids


CHILD = """
import importlib.util, json, pathlib, runpy, sys
import biobench

place = pathlib.Path(sys.argv[1])
spec = importlib.util.spec_from_file_location("biobench.args", place / "args.py")
biobench.args = sys.modules["biobench.args"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(biobench.args)

from biobench import evaluate, features, folder, launch, registry
from biobench.launch.reproduce import reproduce_command

def get_digest(args):
    options = features.EmbedOptions(**args.get_embedding(), device="cpu")
    backbone = registry.load_vision_backbone("baseline", "color-hist")
    return features.BackboneSource(backbone, options).digest

def get_protocol(args):
    return evaluate.prepare(folder, args).protocol

(cell,) = launch.make_plan(launch.load(place / "suite.toml")).cells
args, plain = cell.make_args(), folder.Args(datadir=cell.args["datadir"])
config = {"task": "newt", "kind": "newt", "model": "a:b"}
config["args"] = {"datadir": "/data/newt", "gather": "mean", "ties": "last"}
docs = pathlib.Path(sys.argv[2])
print(json.dumps({
    "cell": cell.args,
    "args": [args.gather, args.ties, plain.gather],
    "digests": [get_digest(plain), get_digest(args)],
    "protocols": [get_protocol(plain), get_protocol(args)],
    "command": reproduce_command({"config": config}),
    "cli": runpy.run_path(str(docs / "make_cli.py"))["make_page"](),
    "config": runpy.run_path(str(docs / "make_config.py"))["make_page"](
        (docs / "config.md").read_text()
    ),
}))
"""

FIELDS = '''
    gather: Literal["own", "mean"] = option("own", decides=("features",))
    """how `patches` become one vector."""
'''
MORE = '''
    ties: str = option("first", decides=("protocol",), metavar="WHICH")
    """which of equal classes is predicted."""
'''


def test_an_option_is_its_field_and_its_use_and_nothing_else(tmp_path):
    source = pathlib.Path(args_module.__file__).read_text()
    source = source.replace("\n    def check_embedding", f"{FIELDS}\n    def check_embedding")
    source = source.replace("\n    n_train: int", f"{MORE}\n    n_train: int")
    (tmp_path / "args.py").write_text(source)
    for split in ("train", "test"):
        for label in ("red", "blue"):
            (tmp_path / "pictures" / split / label).mkdir(parents=True)
            Image.new("RGB", (8, 8), label).save(tmp_path / "pictures" / split / label / "1.png")
    (tmp_path / "suite.toml").write_text(
        """
        models = ["baseline:color-hist"]
        gather = "mean"
        ties = "last"
        [tasks.stamps]
        kind = "folder"
        datadir = "pictures"
        """
    )
    docs = pathlib.Path(__file__).parents[1] / "docs"
    command = [sys.executable, "-c", CHILD, str(tmp_path), str(docs)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["cell"]["gather"], found["cell"]["ties"]) == ("mean", "last")
    assert found["args"] == ["mean", "last", "own"]
    # At its default it changes nothing that was there before it.
    backbone = registry.load_vision_backbone("baseline", "color-hist")
    before = features.BackboneSource(backbone, features.EmbedOptions(device="cpu")).digest
    assert found["digests"][0] == before != found["digests"][1]
    plain, other = found["protocols"]
    kept = {name: value for name, value in other.items() if name not in ("title", "ties")}
    assert "ties" not in plain and other["ties"] == "last"
    assert kept == {name: value for name, value in plain.items() if name != "title"}
    assert "gather" not in other
    said = " ".join(found["command"])
    assert "--gather mean" in said and "--ties last" in said
    pages = found["cli"].split("## biobench ")
    run, embed = (
        next(page for page in pages if page.startswith(f"{name}\n")) for name in ("run", "embed")
    )
    assert "--ties WHICH" in run and "--ties" not in embed
    for page in (run, embed):
        assert (
            "--gather own|mean" in page and "how patches become one vector. (default: own)" in page
        )
    for row in (
        '`gather` | `"own"` or `"mean"` | `"own"` | how `patches` become one vector',
        '`ties` | text | `"first"` | which of equal classes is predicted',
    ):
        assert f"| {row} |" in found["config"]
