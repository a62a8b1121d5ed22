import polars as pl
import pytest

from biobench.data.manifest import read_table


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_table_s_name_is_no_pattern(tmp_path, suffix):
    """A polars reader takes `labels[12]` for labels1 and labels2."""
    for name in ("labels1", "labels2", "labels[12]"):
        table, path = pl.DataFrame({"name": [name]}), tmp_path / f"{name}{suffix}"
        table.write_csv(path) if suffix == ".csv" else table.write_parquet(path)
    assert read_table(tmp_path / f"labels[12]{suffix}", ["name"])["name"].to_list() == [
        "labels[12]"
    ]
