"""Results of every format that was ever written are kept in `formats/vN`, made by the code of their
time through `results.write_run`, and must stay readable."""

import json
from pathlib import Path

import jsonschema
import pytest

from biobench import metrics, results
from biobench.results import store

FORMATS = Path(__file__).parent / "formats"
VERSIONS = sorted(int(path.name[1:]) for path in FORMATS.iterdir())


def test_a_file_of_every_version_is_kept():
    assert list(range(1, store.FORMAT + 1)) == VERSIONS


@pytest.mark.parametrize("version", VERSIONS)
def test_runs_of_every_version_are_read(version):
    found = results.scan(FORMATS / f"v{version}")
    assert found.problems == [] and found.runs.height == 2
    for run, score, metric in found.runs.select("run", "score", "metric").rows():
        report, table = results.read_report(Path(run)), results.read_predictions(Path(run))
        jsonschema.validate(
            json.loads((Path(run) / "report.json").read_text()),
            results.get_schema(version),
        )
        assert metrics.get_metric(metric)(results.to_examples(table)) == pytest.approx(score)
        assert report["n"] == table.height


@pytest.mark.parametrize("version", VERSIONS)
def test_runs_of_every_version_are_imported(version, tmp_path):
    done = results.import_folder(FORMATS / f"v{version}", tmp_path)
    assert (done.n_imported, done.problems) == (2, [])
