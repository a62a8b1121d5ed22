import hashlib
import json
import math

import jsonschema
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from biobench import results
from biobench.errors import BadInput
from published_files import make_model, make_result, write_json

HOSTILE = ["<script>alert(1)</script>", "\x1b[31mred\x1b[0m", "../../../etc/passwd", "a/../b", ".."]


def take(tmp_path, rows, *args, name="results.json", **meta):
    return results.import_any(write_json(tmp_path / name, rows, *args, **meta), tmp_path / "new")


def read_all(tmp_path):
    found = results.scan(tmp_path / "new")
    assert found.problems == []
    reports = [results.read_report(tmp_path / run) for run in found.runs["run"]]
    for report in reports:
        jsonschema.validate(report, results.get_schema())
    return found.runs, reports


def test_a_published_score_becomes_a_run_without_predictions(tmp_path):
    done = take(tmp_path, [make_result("kabr", mean=0.5, low=0.4, high=0.6)])
    assert (done.n_imported, done.n_present, done.problems) == (1, 0, [])
    runs, (report,) = read_all(tmp_path)
    assert (report["score"], report["ci"]) == (0.5, [0.4, 0.6])
    assert not report["has_predictions"] and report["n"] is None and report["group_ci"] is None
    assert report["provenance"]["protocol"]["preset"] == "2026"
    assert report["origin"] == "published" and "nothing can be recomputed" in report["warnings"][0]
    published = report["provenance"]["published"]
    text = (tmp_path / "results.json").read_bytes()
    assert published["source"]["sha256"] == hashlib.sha256(text).hexdigest()
    assert published["source"]["file"] == "results.json" and published["recomputable"] is False
    assert published["model"]["ckpt"] == "ViT-B-32/openai"
    assert published["model"]["params"] == 87_849_216 and published["model"]["resolution"] == 224
    assert published["model"]["family"] == "CLIP" and published["model"]["released"] == "2021-01-05"
    assert runs["model"].to_list() == ["open-clip:ViT-B-32/openai"]
    assert runs.select("ci_low", "ci_high").row(0) == (0.4, 0.6)
    assert runs["published"].null_count() == 0


def test_importing_twice_or_a_copy_adds_nothing(tmp_path):
    rows = [make_result(task) for task in ("newt", "kabr")]
    assert take(tmp_path, rows).n_imported == 2
    again = take(tmp_path, rows)
    assert (again.n_imported, again.n_present) == (0, 2)
    # The same rows in another order, of another name and in other letters.
    copy = write_json(tmp_path / "copy.json", rows[::-1])
    copy.write_text(json.dumps(json.loads(copy.read_text()), indent=3))
    done = results.import_any(copy, tmp_path / "new")
    assert (done.n_imported, done.n_present) == (0, 2)
    assert results.scan(tmp_path / "new").runs.height == 2


def test_a_later_edition_takes_the_place_of_the_earlier_one(tmp_path):
    take(tmp_path, [make_result(mean=0.5)])
    done = take(tmp_path, [make_result(mean=0.55)], generated=1_800_000_000_000)
    assert done.n_imported == 1
    runs, _ = read_all(tmp_path)
    assert runs.height == 2 and results.current(runs)["score"].to_list() == [0.55]


@pytest.mark.parametrize(
    ("low", "high", "kind", "shown"),
    [
        (0.6, 0.7, "outside", [0.6, 0.7]),
        (0.3, 0.4, "outside", [0.3, 0.4]),
        (0.6, 0.4, "swapped", None),
        (math.nan, 0.6, "no interval", None),
        (None, None, "no interval", None),
        ("0.4", 0.6, "no interval", None),
        (-math.inf, 0.6, "no interval", None),
    ],
)
def test_an_interval_that_does_not_fit_its_score_is_said(tmp_path, low, high, kind, shown):
    done = take(tmp_path, [make_result(low=low, high=high)])
    assert done.n_imported == 1 and any("newt 1" in note for note in done.notes)
    _, (report,) = read_all(tmp_path)
    assert report["score"] == 0.5 and report["ci"] == shown
    doubts = report["provenance"]["published"]["doubts"]
    assert list(doubts) == [kind] and doubts[kind] in report["warnings"]


def test_a_score_on_the_end_of_its_interval_is_in_it(tmp_path):
    take(tmp_path, [make_result(low=0.5, high=0.6), make_result("kabr", low=0.4, high=0.5)])
    _, reports = read_all(tmp_path)
    assert all(report["provenance"]["published"]["doubts"] == {} for report in reports)


@pytest.mark.parametrize("task", ["fishnet", "plankton", "beluga"])
def test_scores_that_are_known_to_be_wrong_say_why(tmp_path, task):
    done = take(tmp_path, [make_result(task)])
    _, (report,) = read_all(tmp_path)
    reason = report["provenance"]["published"]["doubts"]["wrong"]
    assert task in reason and len(reason) > 80 and reason in report["warnings"]
    assert any(f"known to be wrong, marked x (1): {task} 1" in note for note in done.notes)


def test_bad_rows_are_named_and_lose_no_other(tmp_path):
    bad = [
        3,
        make_result(mean=math.nan),
        make_result(mean="0.5"),
        make_result(mean=True),
        make_result(mean=1.5),
        make_result(task=""),
        make_result(model=None),
        make_result(mean=10**400),
        {"task": "newt"},
    ]
    done = take(tmp_path, [*bad, make_result("kabr")], [make_model()])
    assert done.n_imported == 1 and len(done.problems) == len(bad)
    assert [f"result {n}:" in p.reason for n, p in enumerate(done.problems, 1)] == [True] * len(bad)


def test_a_result_that_stands_there_twice_is_taken_once_and_said(tmp_path):
    rows = [make_result(), make_result(), make_result("kabr"), make_result("KABR", mean=0.45)]
    done = take(tmp_path, rows)
    assert done.n_imported == 2
    same, other = (problem.reason for problem in done.problems)
    assert "result 2: it stands in 1, too, the same again" in same
    assert "result 4: it stands in 3, too, with other numbers" in other
    runs, _ = read_all(tmp_path)
    (report,) = (results.read_report(tmp_path / run) for run in runs.filter(task="kabr")["run"])
    assert report["score"] == 0.5 and "repeated" in report["provenance"]["published"]["doubts"]


def test_what_a_file_lacks_or_has_beyond_is_counted_and_listed(tmp_path):
    rows = [make_result("newt", "a.b"), make_result("moths", "a.b"), make_result("moths", "c.d")]
    done = take(tmp_path, rows, [make_model("a.b"), make_model("e.f"), {"display": "no name"}])
    said = " ".join(done.notes)
    assert "Tasks that biobench does not have, kept under their names: moths (2)." in said
    assert "Cells without a result there (3): moths of e.f, newt of e.f, newt of c.d." in said
    assert "Models that the file does not describe (1): c.d." in said
    assert "model 3 has no name" in done.problems[0].reason
    runs, _ = read_all(tmp_path)
    assert sorted(runs["task"]) == ["moths", "moths", "newt"]


@pytest.mark.parametrize("field", ["task", "model"])
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_stay_inside_and_are_kept_as_they_are(tmp_path, field, name):
    row = make_result(**{field: name})
    assert take(tmp_path, [row], [make_model(row["model"], display=name)]).n_imported == 1
    assert {path.name for path in tmp_path.iterdir()} == {"results.json", "new"}
    runs, (report,) = read_all(tmp_path)
    assert report["provenance"]["published"]["model"]["display"] == name
    kept = report["model"]["ckpt"] if field == "model" else report["task"]
    assert kept == name and runs.height == 1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("not json", "neither JSON nor a database"),
        ("[]", "no published results.json"),
        ('{"results": {}}', "no list 'results'"),
        ("[" * 100_000, "neither JSON"),
    ],
)
def test_a_file_that_is_none_is_refused(tmp_path, text, words):
    (tmp_path / "file").write_text(text)
    with pytest.raises(BadInput, match=words):
        results.import_any(tmp_path / "file", tmp_path / "new")
    with pytest.raises(BadInput, match="no file"):
        results.import_any(tmp_path / "absent", tmp_path / "new")


def test_a_file_without_a_date_is_dated_and_said(tmp_path):
    done = take(tmp_path, [make_result()], generated="yesterday")
    assert done.n_imported == 1 and any("dated 1970" in note for note in done.notes)


def test_a_published_run_is_taken_from_another_results_folder_as_it_is(tmp_path):
    take(tmp_path, [make_result(low=0.6, high=0.7)])
    for n_imported in (1, 0):
        done = results.import_any(tmp_path / "new", tmp_path / "ours")
        assert (done.n_imported, done.problems) == (n_imported, [])
    (kept,) = results.scan(tmp_path / "ours").runs.iter_rows(named=True)
    assert (kept["ci_low"], kept["ci_high"]) == (0.6, 0.7) and kept["published"]


SCORES = st.floats(0, 1)
ENDS = st.one_of(st.floats(0, 1), st.none(), st.just(math.nan))
NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20).filter(
    lambda name: name.strip()
)
ROWS = st.builds(make_result, NAMES, NAMES, SCORES, ENDS, ENDS)


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(ROWS, max_size=4))
def test_whatever_is_published_comes_back_as_it_was(tmp_path_factory, rows):
    tmp_path = tmp_path_factory.mktemp("published")
    done = take(tmp_path, rows)
    if not rows:
        assert done.n_imported == 0
        return
    assert done.n_imported + len(done.problems) == len(rows)
    found = {}
    for report in read_all(tmp_path)[1]:
        published = report["provenance"]["published"]
        found[published["task"], published["model"]["ckpt"]] = report
    for row in reversed(rows):
        key = row["task"], row["model"]
        if key not in found:
            # Names that differ in letters and blanks alone may be one task.
            continue
        report = found[key]
        first = next(one for one in rows if (one["task"], one["model"]) == key)
        assert report["score"] == first["mean"]
        if report["ci"] is not None:
            assert report["ci"] == [first["ci_low"], first["ci_high"]]
        inside = report["ci"] and report["ci"][0] <= report["score"] <= report["ci"][1]
        doubts = set(report["provenance"]["published"]["doubts"]) - {"wrong", "repeated"}
        assert bool(inside) == (doubts == set())
    assert take(tmp_path, rows).n_imported == 0
