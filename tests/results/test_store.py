import dataclasses
import json
import math
import subprocess
import sys
import urllib.parse

import jsonschema
import pytest

from biobench import results
from biobench.errors import BadInput
from biobench.interfaces import TaskReport
from biobench.results import store
from results_world import START, make_report, with_score_splits

MODEL = ("open-clip", "ViT-B-16/openai")


def test_a_run_keeps_everything_in_the_report_but_its_examples(tmp_path):
    report = make_report()
    run = results.write_run(tmp_path, "insects", MODEL, report, config={"seed": 42})
    kept = results.read_report(run)
    fields = report.to_dict()
    del fields["examples"]
    assert {name: kept[name] for name in fields} == fields
    assert kept["config"] == {"seed": 42}
    assert kept["protocol_digest"] == report.provenance.protocol_digest()


def test_the_stored_score_is_the_report_s_and_lies_in_its_interval(tmp_path):
    report = make_report(metric="macro-f1")
    kept = results.read_report(results.write_run(tmp_path, "insects", MODEL, report))
    assert kept["score"] == report.get_mean_score()
    low, high = kept["ci"]
    assert low <= kept["score"] <= high


@pytest.mark.parametrize(
    "report",
    [
        make_report(),
        make_report(n_groups=5),
        make_report(n=1),
        with_score_splits(make_report(), {"absent": math.nan}),
    ],
    ids=["plain", "grouped", "one-example", "nan"],
)
def test_every_report_holds_the_published_schema(tmp_path, report):
    run = results.write_run(tmp_path, "insects", MODEL, report, log="a line\n")
    jsonschema.Draft202012Validator.check_schema(results.get_schema())
    jsonschema.validate(json.loads((run / "report.json").read_text()), results.get_schema())
    assert (run / "log.txt").read_text() == "a line\n"


def test_the_schema_refuses_a_report_without_provenance(tmp_path):
    kept = results.read_report(results.write_run(tmp_path, "insects", MODEL, make_report()))
    del kept["provenance"]["backbone"]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(kept, results.get_schema())


def test_a_sub_score_that_is_not_a_number_is_null(tmp_path):
    report = with_score_splits(make_report(), {"absent": math.nan})
    run = results.write_run(tmp_path, "insects", MODEL, report)
    assert results.read_report(run)["splits"] == {"absent": None}


def test_a_report_of_any_callable_is_kept(tmp_path):
    report = dataclasses.replace(make_report(n=9), calc_mean_score=lambda examples: 0.25)
    kept = results.read_report(results.write_run(tmp_path, "insects", MODEL, report))
    assert kept["score"] == 0.25


@pytest.mark.parametrize("name", ["ViT-B-16/openai", "..", ".hidden", "a b:c%d", "ünï\n", "x" * 40])
def test_a_slug_is_one_safe_name_and_gives_the_name_back(name):
    slug = results.to_slug(name)
    assert "/" not in slug and not slug.startswith(".")
    assert urllib.parse.unquote(slug) == name


def test_long_names_stay_apart_in_slugs_that_fit_a_file_system():
    slugs = {results.to_slug("x" * 300 + end) for end in "ab"}
    assert len(slugs) == 2 and all(len(slug.encode()) < 255 for slug in slugs)


def test_run_ids_sort_by_time_and_differ_at_the_same_time():
    assert store.make_run_id(START) < store.make_run_id(START + 0.5) < store.make_run_id(START + 99)
    assert store.make_run_id(START) != store.make_run_id(START)


def test_a_failed_write_leaves_nothing_behind(tmp_path, monkeypatch):
    def fail(*args):
        raise OSError("disk full")

    monkeypatch.setattr(store.os, "rename", fail)
    with pytest.raises(OSError, match="disk full"):
        results.write_run(tmp_path, "insects", MODEL, make_report())
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_a_run_is_never_overwritten(tmp_path):
    run = results.write_run(tmp_path, "insects", MODEL, make_report())
    kept = results.read_report(run)
    with pytest.raises(FileExistsError):
        store.write_folder(tmp_path, kept | {"score": 0.0}, None)
    assert results.read_report(run) == kept


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "damaged"),
        ("[]", "no format version"),
        ('{"format": "1"}', "no format version"),
        ('{"format": 99}', "update biobench"),
    ],
)
def test_a_bad_report_is_refused_in_words(tmp_path, text, words):
    (tmp_path / "report.json").write_text(text)
    with pytest.raises(BadInput, match=words):
        results.read_report(tmp_path)


def test_damaged_predictions_are_refused_in_words(tmp_path):
    run = results.write_run(tmp_path, "insects", MODEL, make_report())
    path = run / "predictions.parquet"
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(BadInput, match="damaged"):
        results.read_predictions(run)
    path.unlink()
    with pytest.raises(BadInput, match="missing"):
        results.read_predictions(run)


def test_readers_load_no_torch():
    code = "import sys, biobench.results; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_a_report_made_by_any_version_s_code_is_a_task_report():
    assert {f.name for f in dataclasses.fields(TaskReport)} - {"examples", "calc_mean_score"} <= {
        *results.get_schema()["properties"]
    }
