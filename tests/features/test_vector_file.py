"""Vectors computed elsewhere stand in for a backbone, or say what is wrong with them."""

import pathlib

import numpy as np
import polars as pl
import pytest

from biobench.errors import BadInput
from biobench.features import FileSource, vectors

ROOT = pathlib.Path("anywhere")
IDS = [f"{number}.jpg" for number in range(10)]
VECTORS = np.random.default_rng(0).standard_normal((10, 3)).astype(np.float32)


def write(path, ids=IDS, column="path", features=None, **columns):
    features = VECTORS if features is None else features
    pl.DataFrame({column: ids, "feature": list(features), **columns}).write_parquet(path)
    return path


@pytest.mark.parametrize("column", ["path", "id"])
@pytest.mark.parametrize("dtype", [pl.Array(pl.Float32, 3), pl.List(pl.Float64)])
def test_vectors_come_back_by_id_in_any_order(tmp_path, column, dtype):
    path = write(tmp_path / "v.parquet", column=column)
    pl.read_parquet(path).with_columns(pl.col("feature").cast(dtype)).write_parquet(path)
    images = ["7.jpg", "0.jpg", "3.jpg"]
    features = FileSource(path, "mine")(ROOT, images)
    assert features.dim == 3
    np.testing.assert_array_equal(features.take(np.arange(3)), VECTORS[[7, 0, 3]])
    np.testing.assert_array_equal(features.take(np.array([2, 2])), VECTORS[[3, 3]])
    index, blocks = zip(*features.blocks(), strict=True)
    np.testing.assert_array_equal(np.concatenate(blocks), VECTORS[[7, 0, 3]][np.concatenate(index)])


def test_of_two_id_columns_the_one_that_fits_counts(tmp_path):
    path = write(tmp_path / "v.parquet", id=[str(number) for number in range(10)])
    features = FileSource(path, "mine")(ROOT, IDS)
    np.testing.assert_array_equal(features.take(np.arange(10)), VECTORS)
    features = FileSource(path, "mine")(ROOT, ["4", "5"])
    np.testing.assert_array_equal(features.take(np.arange(2)), VECTORS[[4, 5]])


def test_missing_ids_are_counted_and_named(tmp_path):
    source = FileSource(write(tmp_path / "v.parquet"), "mine")
    images = [*IDS, *(f"new-{number}.jpg" for number in range(5))]
    with pytest.raises(BadInput, match=r"5 of 15 images have no vector \(new-0.jpg, new-1.jpg"):
        source(ROOT, images)


def test_the_digest_is_that_of_the_content(tmp_path):
    first = FileSource(write(tmp_path / "a.parquet"), "a").describe()
    assert first["dim"] == 3
    same = FileSource(write(tmp_path / "b.parquet", unrelated=list(range(10))), "b").describe()
    assert same["digest"] == first["digest"]
    changed = VECTORS.copy()
    changed[4, 1] += 1e-4
    other = FileSource(write(tmp_path / "c.parquet", features=changed), "c").describe()
    renamed = FileSource(write(tmp_path / "d.parquet", ids=IDS[::-1]), "d").describe()
    assert len({first["digest"], other["digest"], renamed["digest"]}) == 3


def use(path):
    FileSource(path, "mine")(ROOT, IDS).take(np.arange(10))


def test_what_is_wrong_with_a_file_is_said_in_one_sentence(tmp_path):
    path = tmp_path / "v.parquet"
    with pytest.raises(BadInput, match="no such file"):
        use(path)
    path.write_text("text")
    with pytest.raises(BadInput, match="not a Parquet file"):
        use(path)
    with pytest.raises(BadInput, match="no column path or id"):
        use(write(path, column="name"))
    with pytest.raises(BadInput, match="stands twice in column path"):
        use(write(path, ids=["0.jpg", *IDS[:9]]))
    pl.DataFrame({"path": IDS}).write_parquet(path)
    with pytest.raises(BadInput, match="no column feature"):
        use(path)
    pl.DataFrame({"path": IDS, "feature": IDS}).write_parquet(path)
    with pytest.raises(BadInput, match="must hold lists of numbers"):
        use(path)
    with pytest.raises(BadInput, match="different lengths"):
        use(write(path, features=[*VECTORS[:9], VECTORS[9][:2]]))
    with pytest.raises(BadInput, match="row 7 has a feature that is not finite"):
        use(write(path, features=[*VECTORS[:6], [1.0, np.nan, 2.0], *VECTORS[7:]]))
    with pytest.raises(BadInput, match="is empty"):
        use(write(path, features=[*VECTORS[:9].tolist(), None]))
    empty = {"path": pl.String, "feature": pl.List(pl.Float32)}
    pl.DataFrame(schema=empty).write_parquet(path)
    with pytest.raises(BadInput, match="no rows"):
        FileSource(path, "mine")(ROOT, [])


def test_what_does_not_fit_in_memory_is_mapped(tmp_path, monkeypatch):
    monkeypatch.setattr(vectors, "MAX_RAM_BYTES", 50)
    features = FileSource(write(tmp_path / "v.parquet"), "mine")(ROOT, IDS)
    small, large = features.take(np.arange(4)), features.take(np.arange(5))
    assert not isinstance(small, np.memmap)
    assert isinstance(large, np.memmap)
    np.testing.assert_array_equal(large, VECTORS[:5])


def test_a_file_whose_columns_path_and_id_disagree_is_refused(tmp_path):
    ids = [*IDS[:3], IDS[4], IDS[3], *IDS[5:]]
    with pytest.raises(BadInput, match=r"disagree on 2 images: '3.jpg' .* row 4 and .* row 5"):
        FileSource(write(tmp_path / "v.parquet", id=ids), "mine")
    # Names of another kind say nothing about paths, and equal ones agree.
    FileSource(write(tmp_path / "v.parquet", id=[f"id-{name}" for name in IDS]), "mine")
    FileSource(write(tmp_path / "v.parquet", id=IDS), "mine")
