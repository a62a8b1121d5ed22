import csv
import dataclasses
import json
import re
import sqlite3
from pathlib import Path

import polars as pl
import pytest

from biobench import clean, results
from biobench.errors import BadInput
from biobench.interfaces import TaskReport
from results_world import START, make_report

MODEL = ("timm", "a")


@pytest.fixture
def root(tmp_path):
    root = tmp_path / "results"
    results.write_run(root, "insects", MODEL, make_report(n=6, posix_time=START - 9))
    results.write_run(root, "insects", MODEL, make_report(n=6, n_groups=2), config={"a": 1})
    results.write_run(root, "birds", ("timm", "b"), make_report(n=4))
    return root


def test_sqlite_holds_every_table_and_its_keys_join(root, tmp_path):
    done = results.export(root, tmp_path / "out.sqlite")
    assert done.rows == {"runs": 3, "splits": 6, "predictions": 16} and not done.problems
    with sqlite3.connect(tmp_path / "out.sqlite") as db:
        assert db.execute("PRAGMA foreign_key_check").fetchall() == []
        right = db.execute(
            "SELECT model, avg(p.score), r.score FROM predictions p JOIN runs r USING (run) "
            "WHERE task = 'birds' GROUP BY run"
        ).fetchall()
        assert len(right) == 1 and right[0][1] == pytest.approx(right[0][2])
        assert db.execute("SELECT count(*) FROM runs WHERE is_current").fetchone() == (2,)


@pytest.mark.parametrize("table", ["runs", "splits", "predictions"])
def test_every_format_holds_the_same_rows_and_columns(root, tmp_path, table):
    for suffix in ("csv", "parquet", "json", "sqlite"):
        results.export(root, tmp_path / f"out.{suffix}", table=table)
    names = list(results.TABLES[table])
    parquet = pl.read_parquet(tmp_path / "out.parquet")
    assert parquet.columns == names
    rows = json.loads((tmp_path / "out.json").read_text())
    assert rows == parquet.to_dicts()
    with open(tmp_path / "out.csv", newline="") as file:
        lines = list(csv.DictReader(file))
    assert list(lines[0]) == names
    assert [line["run"] for line in lines] == parquet["run"].to_list()
    with sqlite3.connect(tmp_path / "out.sqlite") as db:
        cursor = db.execute(f"SELECT * FROM {table}")
        assert [column[0] for column in cursor.description] == names
        assert [row[0] for row in cursor] == parquet["run"].to_list()


def test_a_task_s_further_columns_are_exported_as_json(root, tmp_path):
    results.export(root, tmp_path / "out.parquet", table="predictions")
    info = pl.read_parquet(tmp_path / "out.parquet")["info"]
    assert json.loads(info[0]) == {"site": "site-0"}


def test_the_documentation_lists_every_column_of_every_table():
    page = (Path(__file__).parents[2] / "docs" / "results.md").read_text()
    for table, columns in results.TABLES.items():
        section = page.split(f"**`{table}`**")[1].split("**`")[0]
        documented = set(re.findall(r"`(\w+)`", section))
        assert set(columns) <= documented, table


def test_predictions_that_lack_a_column_are_named(root, tmp_path):
    path = f"{results.scan(root).runs['run'][0]}/predictions.parquet"
    pl.read_parquet(path).drop("train_count").write_parquet(path)
    done = results.export(root, tmp_path / "out.json", table="predictions")
    assert done.rows == {"predictions": 10}
    assert "missing column train_count" in done.problems[0].reason


def test_a_damaged_run_is_named_and_the_others_are_exported(root, tmp_path):
    bad = results.scan(root).runs["run"][0]
    with open(f"{bad}/predictions.parquet", "wb") as file:
        file.write(b"PAR1")
    done = results.export(root, tmp_path / "out.sqlite")
    assert done.rows["predictions"] == 10
    assert [str(problem.path) for problem in done.problems] == [bad]


def test_nothing_is_overwritten_and_unknown_suffixes_are_refused(root, tmp_path):
    (tmp_path / "out.csv").write_text("mine")
    with pytest.raises(BadInput, match="there already"):
        results.export(root, tmp_path / "out.csv")
    with pytest.raises(BadInput, match=r"use \.sqlite"):
        results.export(root, tmp_path / "out.xlsx")
    with pytest.raises(BadInput, match="no folder"):
        results.export(root, tmp_path / "absent" / "out.csv")
    assert (tmp_path / "out.csv").read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.csv", "results"]


def test_an_empty_results_folder_makes_empty_tables(tmp_path):
    (tmp_path / "results").mkdir()
    for suffix in ("csv", "parquet", "json"):
        done = results.export(tmp_path / "results", tmp_path / f"out.{suffix}")
        assert done.rows == {"runs": 0}
    assert pl.read_parquet(tmp_path / "out.parquet").columns == list(results.TABLES["runs"])


def test_the_runs_table_keeps_the_report_s_provenance(root, tmp_path):
    results.export(root, tmp_path / "out.parquet")
    row = pl.read_parquet(tmp_path / "out.parquet").filter(pl.col("n_groups") == 2).to_dicts()[0]
    report: TaskReport = dataclasses.replace(make_report(n=6, n_groups=2))
    assert row["commit"] == report.commit and row["hostname"] == report.hostname
    assert json.loads(row["protocol"]) == report.provenance.protocol
    assert json.loads(row["config"]) == {"a": 1}
    assert row["time"] == "2023-11-14T22:13:20+00:00"


def test_the_documented_replacement_gives_every_text_of_a_csv_file_back(tmp_path):
    page = (Path(__file__).parents[2] / "docs" / "results.md").read_text()
    (code,) = re.findall(r"```python\n(import polars as pl\n\ntable = .*?)```", page, re.DOTALL)
    cells = ["=1+1", "'=1", "''-x", "-5", "+2", "@a", " =b", "plain", "it's", "'quoted'", "＝1"]
    table = pl.DataFrame({"cell": cells, "n": range(len(cells))})
    clean.csv_table(table).write_csv(tmp_path / "scores.csv")
    assert pl.read_csv(tmp_path / "scores.csv")["cell"].to_list() != cells
    names = {}
    exec(code.replace("scores.csv", str(tmp_path / "scores.csv")), names)
    assert names["undone"].equals(table)
