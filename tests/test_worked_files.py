"""The worked files of CONTRIBUTING.md, as files and as an installed package with four kinds."""

import ast
import csv
import json
import os
import pathlib
import shutil
import subprocess
import sys
import zipfile

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import label_ranking_average_precision_score

from biobench import cli, metrics, probes, registry, results

ROOT = pathlib.Path(__file__).parents[1]
KINDS = ("task", "backbone", "probe", "metric")
FILES = {kind: ROOT / "examples" / f"own_{kind}.py" for kind in KINDS}
REGISTRIES = (registry.TASKS, registry.BACKBONES, probes.PROBES, metrics.METRICS)
COLOURS = ((200, 60, 40), (50, 160, 70), (60, 80, 190))
NEEDS = "The metric 'mean-reciprocal-rank' cannot be used here: "
CONFIG = """
models = ["colour-grid:1", "colour-grid:2"]
data = "data"
device = "cpu"
imports = {imports}
[tasks.moths]
probe = "forest"
metric = "mean-reciprocal-rank"
n_workers = 0
"""


@pytest.fixture
def fresh(monkeypatch):
    """Forgets what was registered and imported, here and at the end; the value does so at once."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)

    def forget():
        for known in REGISTRIES:
            known.registered, known._loaded, known._origins = {}, {}, {}
        for name in set(sys.modules) - before:
            if name.startswith(("own_", "plover")):
                del sys.modules[name]

    kept = [(known.registered, known._loaded, known._origins) for known in REGISTRIES]
    forget()
    yield forget
    forget()
    for known, state in zip(REGISTRIES, kept, strict=True):
        known.registered, known._loaded, known._origins = state


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A working folder with the pictures of the worked task."""
    folder = tmp_path / "data" / "moths"
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    with open(folder / "labels.csv", "w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["file", "species", "trap", "year"])
        for i in range(36):
            pixels = np.full((16, 16, 3), COLOURS[i % 3]) + rng.normal(0, 90, (1, 1, 3))
            pixels = pixels + rng.normal(0, 25, (16, 16, 3))
            Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(folder / f"{i}.png")
            year = 2023 if i < 18 else 2024
            rows.writerow([f"{i}.png", f"species-{i % 3}", f"trap-{year}-{i // 3 % 6}", year])
    monkeypatch.chdir(tmp_path)
    return tmp_path


def install(folder, name="plover"):
    """Build a wheel of the worked files that offers all four, and install it into `folder`."""
    wheel = folder.parent / f"{name}-0.1-py3-none-any.whl"
    targets = {"backbones": ("colour-grid", "backbone:ColourGrid"), "tasks": ("moths", "task")}
    targets |= {"probes": ("forest", "probe:Forest")}
    targets |= {"metrics": ("mean-reciprocal-rank", "metric:ReciprocalRank")}
    points = "".join(
        f"[biobench.{group}]\n{thing} = {name}.own_{target}\n"
        for group, (thing, target) in targets.items()
    )
    info = f"{name}-0.1.dist-info"
    with zipfile.ZipFile(wheel, "w") as file:
        file.writestr(f"{name}/__init__.py", "")
        for path in FILES.values():
            file.write(path, f"{name}/{path.name}")
        file.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 0.1\n")
        file.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        file.writestr(f"{info}/entry_points.txt", points)
        file.writestr(f"{info}/RECORD", "".join(f"{one},,\n" for one in file.namelist()))
    command = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-index"]
    command += ["--disable-pip-version-check", "--root-user-action", "ignore"]
    subprocess.run([*command, "--target", folder, wheel], check=True)


def call(capsys, *arguments):
    """What a command printed, on both streams."""
    code = cli.main([str(argument) for argument in arguments])
    said = capsys.readouterr()
    assert code == 0, said.err
    return said


def test_an_installed_package_offers_all_four_kinds_to_every_command(
    place, fresh, capsys, monkeypatch
):
    home = place / "site"
    install(home)
    monkeypatch.syspath_prepend(home)
    source = pathlib.Path(cli.__file__).parents[1]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(map(str, (home, source))))
    (place / "plan.toml").write_text(CONFIG.format(imports=[]))
    assert "moths" in call(capsys, "tasks").out
    assert "mean colours of N x N cells" in call(capsys, "models", "--adapters").out
    call(capsys, "run", "plan.toml", "--results", "results")
    assert "2 cells: 2 done" in call(capsys, "status").out
    run = results.scan(place / "results").runs["run"][0]
    report = results.read_report(pathlib.Path(run))
    package = {"package": "plover 0.1"}
    assert report["provenance"]["imports"] == [
        {"kind": "task", "name": "moths", **package},
        {"kind": "backbone", "name": "colour-grid", **package},
        {"kind": "probe", "name": "forest", **package},
        {"kind": "metric", "name": "mean-reciprocal-rank", **package},
    ]
    assert report["provenance"]["protocol"]["probe_params"] == {
        "name": "forest",
        "steps": ["Forest"],
        "n_trees": 100,
    }
    rows = json.loads(call(capsys, "leaderboard", "--format", "json").out)
    assert sorted(row["rank"] for row in rows) == [1, 2]
    said = call(capsys, "compare", "colour-grid:1", "colour-grid:2", "--format", "json")
    (pair,) = json.loads(said.out)
    assert pair["ci"][0] <= pair["difference"] <= pair["ci"][1] and 0 < pair["p"] <= 1
    call(capsys, "report", "--out", "site-page")
    (page,) = (place / "site-page" / "tasks").glob("*.html")
    assert "mean-reciprocal-rank" in page.read_text()
    call(capsys, "export", "--to", "runs.json")
    exported = json.loads((place / "runs.json").read_text())
    assert [row["is_verified"] for row in exported] == [True, True]
    assert "are equal" in call(capsys, "reproduce", run, "--check").out

    # Without the package nothing is lost but what needs its code, and that is said.
    fresh()
    shutil.rmtree(home)
    monkeypatch.setattr(sys, "path", [folder for folder in sys.path if folder != str(home)])
    advice = f"{NEEDS}install the package plover 0.1 that offers it; until then the scores of"
    said = call(capsys, "leaderboard", "--format", "json")
    again = json.loads(said.out)
    assert advice in said.err and all(row["rank"] is None for row in again)
    assert {row["score"] for row in again} == {row["score"] for row in rows}
    assert advice in " ".join(call(capsys, "leaderboard", "--explain").out.split())
    call(capsys, "export", "--to", "foreign.json")
    exported = json.loads((place / "foreign.json").read_text())
    assert [row["is_verified"] for row in exported] == [None, None]


def test_the_worked_files_are_found_by_imports_and_a_reader_is_told_which(place, fresh, capsys):
    (place / "plan.toml").write_text(CONFIG.format(imports=[str(p) for p in FILES.values()]))
    said = call(capsys, "run", "plan.toml", "--results", "results")
    # What to type next finds the metric again.
    for line in said.out.splitlines():
        if line.startswith(("as a page:", "next:")):
            assert f"--imports {os.path.relpath(FILES['metric'])}" in line or (
                f"--imports {FILES['metric']}" in line
            )
    fresh()
    metric = ["--imports", FILES["metric"]]
    advice = f"{NEEDS}give --imports {FILES['metric']}, whose code is then executed"
    pair = ["compare", "colour-grid:1", "colour-grid:2"]
    assert cli.main(pair) == 2
    assert advice in capsys.readouterr().err
    assert advice in call(capsys, "export", "--to", "before.csv").err
    assert advice in call(capsys, "leaderboard", "--format", "csv").err
    call(capsys, "report", "--out", "before")
    assert "is then executed" in (place / "before" / "index.html").read_text()
    assert not {path.stem for path in FILES.values()} & set(sys.modules)

    rows = json.loads(call(capsys, "leaderboard", "--format", "json", *metric).out)
    assert sorted(row["rank"] for row in rows) == [1, 2]
    assert NEEDS not in call(capsys, *pair, *metric).out
    call(capsys, "report", "--out", "after", *metric)
    assert "is then executed" not in (place / "after" / "index.html").read_text()
    assert NEEDS not in call(capsys, "export", "--to", "after.csv", *metric).err
    fresh()
    every = [str(path) for path in FILES.values()]
    assert "moths" in call(capsys, "tasks", "--imports", FILES["task"]).out
    assert "colour-grid" in call(capsys, "models", "--adapters", "--imports", *every).out
    call(capsys, "doctor", "colour-grid:4", "--device", "cpu", "--imports", *every)
    run = results.scan(place / "results").runs["run"][0]
    moved = place / "moved"
    moved.mkdir()
    new = [shutil.copy(path, moved) for path in FILES.values()]
    printed = call(capsys, "reproduce", run, "--imports", *new).out
    assert all(str(path) in printed for path in new) and every[0] not in printed


def test_the_worked_task_is_short_and_no_other_file_knows_it():
    assert len(FILES["task"].read_text().splitlines()) <= 60
    for path in (ROOT / "src").rglob("*.py"):
        assert '"moths"' not in path.read_text(), path


def test_the_worked_files_use_public_names_alone():
    for path in FILES.values():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module.startswith("biobench"):
                names = [*node.module.split("."), *(alias.name for alias in node.names)]
                assert not any(name.startswith("_") for name in names), path


def test_the_worked_metric_is_scikit_learns_of_one_relevant_label(fresh):
    from biobench.imports import import_modules
    from biobench.interfaces import Example

    import_modules([str(FILES["metric"])])
    rng = np.random.default_rng(0)
    scores, labels = rng.random((50, 5)), np.array(list("abcde"))
    truth = rng.integers(0, 5, 50)
    order = np.argsort(-scores, axis=1)
    examples = [
        Example(str(i), 0.0, {"y_true": labels[t], "top_labels": labels[row].tolist()})
        for i, (t, row) in enumerate(zip(truth, order, strict=True))
    ]
    expected = label_ranking_average_precision_score(np.eye(5)[truth], scores)
    metric = metrics.get_metric("mean-reciprocal-rank")
    assert metric(examples) == pytest.approx(expected)
    unread = Example("unread", 0.0, {"y_true": "a", "top_labels": None})
    assert metric([*examples, unread]) == pytest.approx(expected * 50 / 51)


def test_contributing_explains_each_kind_with_its_file():
    page = (ROOT / "CONTRIBUTING.md").read_text()
    for kind, path in FILES.items():
        assert f"examples/{path.name}" in page and f"register_{kind}" in page.replace(
            "register_vision_backbone", "register_backbone"
        )


def test_a_tasks_own_metric_may_read_ranks_all_scores_or_a_table_of_costs(place, fresh, capsys):
    (place / "costs.csv").write_text(
        "truth,prediction,cost\nspecies-0,*,5\n*,species-0,2\n*,*,1\n", encoding="utf-8"
    )
    names = ("top5-accuracy", "mean-average-precision", "macro-auroc", "expected-cost:costs.csv")
    tables = "".join(
        f'[tasks.t{i}]\nkind = "moths"\ndatadir = "data/moths"\nmetric = "{name}"\nn_workers = 0\n'
        'probe = "simpleshot"\n'
        for i, name in enumerate(names)
    )
    head = CONFIG.format(imports=[str(FILES["task"]), str(FILES["backbone"])])
    (place / "plan.toml").write_text(head.partition("[tasks.moths]")[0] + tables)
    call(capsys, "run", "plan.toml", "--results", "results")
    rows = json.loads(call(capsys, "leaderboard", "--format", "json").out)
    assert {(row["task"], row["rank"]) for row in rows} >= {(f"t{i}", 1) for i in range(4)}
    assert all(row["ci"][0] <= row["score"] <= row["ci"][1] for row in rows)
    by_task = {}
    for row in rows:
        by_task.setdefault(row["task"], []).append(row)
    # Of a cost the lower is the better one, in ranks and in marks.
    low, high = sorted(by_task["t3"], key=lambda row: row["score"])
    assert low["rank"] == 1 and (high["rank"] == 2 or high["score"] == low["score"])
    pairs = json.loads(
        call(capsys, "compare", "colour-grid:1", "colour-grid:2", "--format", "json").out
    )
    assert [pair["task"] for pair in pairs] == ["t0", "t1", "t2", "t3"]
    assert all(0 < pair["p"] <= 1 for pair in pairs)
    call(capsys, "export", "--to", "runs.json")
    assert all(row["is_verified"] for row in json.loads((place / "runs.json").read_text()))
    call(capsys, "import", "results", "--results", "copy")
    copied = results.scan(place / "copy").runs
    assert copied.height == 8 and copied["ci_low"].null_count() == 0
