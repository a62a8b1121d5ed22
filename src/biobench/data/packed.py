"""Pictures inside Parquet files, as Hugging Face publishes image data sets: read where they are.

    split_name("data/train-00000-of-00294.parquet/17")      # the file, and the row in it
    read_packed("data/train-00000-of-00294.parquet", 17)    # the picture's bytes

Such a file has a column of structs with a field `bytes`; a picture's name is the file's with the
row behind it, as if the file were a folder.
"""

import bisect
import functools
import itertools
import os
import re

import pyarrow as pa
import pyarrow.parquet as pq

__all__ = ["count_packed", "read_packed", "split_name"]

_NAME = re.compile(r"(.+\.parquet)/(\d+)")


def split_name(path: str) -> tuple[str, int] | None:
    """The Parquet file and the row of a picture inside one; None for any other path."""
    found = _NAME.fullmatch(path)
    if found is None or not os.path.isfile(found[1]):
        return None
    return found[1], int(found[2])


def count_packed(path: str) -> int:
    """The pictures of a Parquet file; raises OSError where it is none with pictures."""
    starts, _ = _read_layout(path, os.stat(path).st_mtime_ns)
    return starts[-1]


def read_packed(path: str, row: int) -> bytes:
    """The bytes of one picture; raises OSError where it is not there."""
    changed = os.stat(path).st_mtime_ns
    starts, column = _read_layout(path, changed)
    if row >= starts[-1]:
        raise OSError(f"it has {starts[-1]:,} rows")
    group = bisect.bisect_right(starts, row) - 1
    data = _read_group(path, changed, group, column)[row - starts[group]].as_py()
    if not data:
        raise OSError("the row has no picture")
    return data


@functools.lru_cache(maxsize=1024)
def _read_layout(path: str, changed: int) -> tuple[list[int], str]:
    """Where each group of rows starts, the end last; and the column of pictures."""
    try:
        with pq.ParquetFile(path) as file:
            sizes = [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)]
            for field in file.schema_arrow:
                if pa.types.is_struct(field.type) and field.type.get_field_index("bytes") >= 0:
                    return [0, *itertools.accumulate(sizes)], field.name
    except pa.ArrowException as err:
        raise OSError(f"not a Parquet file ({err})") from err
    raise OSError("no column of it holds pictures")


# Neighbouring rows are asked for one after the other, by several threads.
@functools.lru_cache(maxsize=16)
def _read_group(path: str, changed: int, group: int, column: str) -> pa.Array:
    try:
        with pq.ParquetFile(path) as file:
            table = file.read_row_group(group, columns=[f"{column}.bytes"])
    except pa.ArrowException as err:
        raise OSError(f"damaged ({err})") from err
    return table.column(0).combine_chunks().field("bytes")
