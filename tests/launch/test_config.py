"""What a config file may hold, and what is said about what it may not."""

import dataclasses
import pathlib
import runpy
import string

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from biobench import evaluate, kabr, launch
from biobench.errors import BadInput
from biobench.fields import get_fields, list_flags, list_options
from biobench.launch import config

KEYS = sorted(get_fields(kabr.Args))
ASCII = string.ascii_letters + string.digits + "_-. "
quick = settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])


def write(folder, text):
    path = folder / "suite.toml"
    path.write_text(text)
    return path


def test_a_file_is_read_and_flags_override_it(tmp_path):
    path = write(
        tmp_path,
        """
        models = ["baseline:color-hog"]
        tasks = ["newt", "kabr"]
        data = "pictures"
        n_train = [5, 10]
        probe = "knn"
        """,
    )
    loaded = launch.load(path, n_train=[3], jobs=2, args={"exif": True})
    assert loaded.models == ["baseline:color-hog"]
    assert loaded.n_train == [3] and loaded.jobs == 2
    assert loaded.args == {"probe": "knn", "exif": True}


def test_a_flag_that_was_not_given_leaves_what_the_file_says(tmp_path):
    path = write(tmp_path, 'device = "cpu"\nseeds = [1, 2]')
    loaded = launch.load(path, device=None, seeds=None, tasks=None)
    assert (loaded.device, loaded.seeds) == ("cpu", [1, 2])


def test_paths_in_a_file_are_relative_to_the_file(tmp_path):
    path = write(
        tmp_path,
        """
        data = "d"
        results = "../r"
        features = { mine = "v.parquet" }
        [tasks.birds]
        kind = "folder"
        datadir = "pictures/birds"
        root = "."
        [tasks.moths]
        datadir = "/elsewhere"
        """,
    )
    loaded = launch.load(path)
    assert loaded.data == str(tmp_path / "d")
    assert loaded.results == str(tmp_path.parent / "r")
    assert loaded.features == {"mine": str(tmp_path / "v.parquet")}
    assert loaded.tasks["birds"]["datadir"] == str(tmp_path / "pictures/birds")
    assert loaded.tasks["birds"]["root"] == str(tmp_path)
    assert loaded.tasks["moths"]["datadir"] == "/elsewhere"


def test_task_names_as_flags_pick_from_the_tables_of_the_file(tmp_path):
    path = write(tmp_path, '[tasks.a]\nkind = "folder"\n[tasks.b]\nprobe = "knn"\n[tasks.c]\n')
    loaded = launch.load(path, tasks=["b", "newt"])
    assert loaded.get_tables() == {"b": {"probe": "knn"}, "newt": {}}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("modles = []", ["modles", "'models'"]),
        ("modls = []", ["modls", "'models'"]),
        ("job = 2", ["job", "'jobs'"]),
        ("bath_size = 3", ["bath_size", "'batch_size'"]),
        ("[slurm]\npartitoin = 'gpu'", ["partitoin", "[slurm]", "'partition'"]),
        ("[slurm.probe]\ngpu = 1", ["gpu", "[slurm.probe]", "'gpus'"]),
        ("[slurm.probe]\nrestarts = 1", ["restarts", "[slurm.probe]"]),
        ("jobs = 'two'", ["jobs", "'two'", "an integer"]),
        ("jobs = true", ["jobs", "True", "an integer"]),
        ("models = 'a:b'", ["models", "a list of texts"]),
        ("models = [1]", ["models", "a list of texts"]),
        ("n_train = [1, 'x']", ["n_train", "an integer or a list of integers"]),
        ("batch_size = 'all'", ["batch_size", "'auto'"]),
        ("precision = 'fp8'", ["precision", "'fp16'"]),
        ("[slurm]\nmemory = 'lots'", ["memory", "[slurm]", "a number"]),
        ("seed = 3", ["seed", "'seeds'"]),
        ("datadir = 'x'", ["datadir"]),
        ("source = 'x'", ["source"]),
        ("jobs = ", ["not a readable TOML file"]),
    ],
)
def test_a_wrong_key_or_value_is_named_with_the_file_and_the_remedy(tmp_path, text, words):
    path = write(tmp_path, text)
    with pytest.raises(BadInput) as caught:
        launch.load(path)
    message = str(caught.value)
    assert str(path) in message and "\n" not in message
    for word in words:
        assert word in message


def test_a_missing_file_is_bad_input(tmp_path):
    with pytest.raises(BadInput, match=r"none\.toml"):
        launch.load(tmp_path / "none.toml")


def test_every_key_that_is_described_is_accepted(tmp_path):
    path = write(
        tmp_path,
        """
        models = []
        tasks = ["newt"]
        data = "d"
        results = "r"
        device = "cpu"
        n_train = -1
        seeds = [1]
        jobs = 1
        resume = false
        debug = true
        imports = []
        features = {}
        batch_size = "auto"
        n_workers = 0
        n_train_unit = "total"
        probe = "knn"
        protocol = "2026"
        folds = "kfold"
        metrics = ["brier"]
        names = "names.csv"
        candidates = "region.txt"
        prompt = "common"
        templates = "bioclip"
        precision = "fp32"
        exif = true
        crop = "square"
        crop_margin = 0.1
        compile = false
        pool = "mean"
        image_size = 112
        trust = []
        [slurm]
        partition = "p"
        account = "a"
        qos = "q"
        gpus = 1
        cpus = 2
        memory = 3.5
        time = 10
        array_width = 4
        images_per_job = 5
        restarts = 0
        setup = ["true"]
        options = { constraint = "a100" }
        probe = { gpus = 0, partition = "cpu" }
        """,
    )
    loaded = launch.load(path)
    own, base = list_options(launch.Settings), list_flags(evaluate.Args)
    written = {line.split("=")[0].strip() for line in path.read_text().splitlines() if "=" in line}
    assert own.keys() | base.keys() <= written
    assert {f.name for f in dataclasses.fields(launch.SlurmSettings)} <= written
    assert loaded.slurm.probe == {"gpus": 0, "partition": "cpu"}
    assert loaded.slurm.memory == 3.5


ROOT = pathlib.Path(__file__).parents[2]


@pytest.mark.parametrize("name", ["config.md", "identity.md"])
def test_the_tables_of_the_pages_are_what_the_program_reads(name):
    made = runpy.run_path(str(ROOT / "docs" / "make_config.py"))
    page = (ROOT / "docs" / name).read_text()
    assert made["make_page"](page) == page, "run python docs/make_config.py"


def test_the_page_lists_every_key_and_its_example_loads(tmp_path):
    page = (ROOT / "docs" / "config.md").read_text()
    kinds = (launch.Settings, launch.SlurmSettings, config.TaskTable, evaluate.Args)
    names = {name for kind in kinds for name in get_fields(kind)}
    unlisted = {name for name in names if f"`{name}`" not in page}
    assert unlisted == {"args", "source", "seed", "slurm"}
    example = page.partition("```toml")[2].partition("```")[0]
    plan = launch.make_plan(launch.load(write(tmp_path, example)))
    assert {cell.task for cell in plan.cells} == {"newt", "kabr", "birds", "moths"}
    assert len(plan.cells) == 3 * (4 * 3 + 1 * 3 + 4 * 3 + 4 * 1)


@quick
@given(
    st.sampled_from(KEYS),
    st.integers(0, 30),
    st.sampled_from(ASCII),
)
def test_any_key_with_a_typo_is_refused_or_is_another_key(key, position, char):
    fields = get_fields(kabr.Args)
    typo = key[:position] + char + key[position + 1 :]
    if typo in fields:
        return
    with pytest.raises(BadInput) as caught:
        config.check_table({typo: 1}, fields, "x.toml", "[tasks.kabr]")
    assert any(f"'{name}'" in str(caught.value) for name in fields)


@quick
@given(
    st.dictionaries(
        st.sampled_from(["n_train", "probe", "exif", "folds", "batch_size", "jobs", "models"]),
        st.one_of(
            st.integers(),
            st.sampled_from(["", "knn", "auto", "kfold"]),
            st.booleans(),
            st.lists(st.integers(), max_size=2),
            st.floats(),
        ),
    )
)
def test_a_checked_table_makes_args_or_is_bad_input_and_nothing_else(table):
    fields = get_fields(evaluate.Args)
    try:
        config.check_table(table, fields, "x.toml")
    except BadInput:
        return
    # beartype checks each field in tests, so what passed has the annotated types.
    evaluate.Args(**table)
