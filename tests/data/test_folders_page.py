"""docs/folders.md lists the names by which columns are known, all of them, in their order."""

import pathlib
import re

from biobench.data.box_columns import CORNERS, WHOLE
from biobench.data.knowledge import FACTS
from biobench.data.picture_table import NEEDED, ROLES
from biobench.data.plaintext import PARQUET_SUFFIXES, TEXT_SUFFIXES

PAGE = (pathlib.Path(__file__).parents[2] / "docs" / "folders.md").read_text()


def test_the_page_lists_every_name_of_every_role_in_order():
    rows = dict(re.findall(r"^\| `(\w+)`[^|]*\| (.*) \|$", PAGE, re.MULTILINE))
    listed = {role: tuple(names.split(", ")) for role, names in rows.items()}
    assert listed == ROLES | FACTS | {"box": WHOLE}
    assert list(listed) == [*ROLES, *FACTS, "box"]
    prose = PAGE.partition("A box is x, y")[2]
    assert all(names[0] in prose for names in CORNERS)
    assert tuple(re.findall(r"^\| `(\w+)` \(needed\)", PAGE, re.MULTILINE)) == NEEDED


def test_the_page_lists_every_suffix():
    assert all(f"`{suffix}`" in PAGE for suffix in (*TEXT_SUFFIXES, PARQUET_SUFFIXES[0]))
