"""Small exports in the published schemas, written by the tests that read them."""

import csv
import io
import json
import pathlib

import numpy as np
from PIL import Image


def draw(path: pathlib.Path, seed: int = 0, size: tuple[int, int] = (40, 20), **options) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path, **options)


def to_csv(rows: list[dict], delimiter: str = ",", quoting: int = csv.QUOTE_MINIMAL) -> str:
    """Rows as text; columns are all the keys, in order."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, names, restval="", delimiter=delimiter, quoting=quoting)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def write(path: pathlib.Path, rows: list[dict], encoding: str = "utf-8", **options) -> pathlib.Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(to_csv(rows, **options).encode(encoding))
    return path


def write_json(path: pathlib.Path, value: object, encoding: str = "utf-8") -> pathlib.Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(json.dumps(value).encode(encoding))
    return path


def reasons(found) -> dict[str, list[str]]:
    """What was left out, by reason."""
    by_reason: dict[str, list[str]] = {}
    for out in found.left_out:
        by_reason.setdefault(out.reason, []).append(out.path)
    return by_reason
