"""docs/exports.md lists every format, and every name by which a split's column is known."""

import pathlib
import re

from biobench.data import split_by
from biobench.data.exports import FORMATS

PAGE = (pathlib.Path(__file__).parents[3] / "docs" / "exports.md").read_text()


def test_the_page_lists_the_formats_in_their_order():
    table = PAGE.partition("## Formats")[2].partition("## ")[0]
    names = re.findall(r"^\| (.*?) \|", table, re.MULTILINE)
    assert names[1:] == [one.name for one in FORMATS]


def test_the_page_lists_the_names_of_what_is_split_by():
    table = PAGE.partition("## Splits by what matters")[2].partition("## ")[0]
    rows = dict(re.findall(r"^\| `(\w+)` \| .*?of ([\w, ]+) \|$", table, re.MULTILINE))
    assert {kind: tuple(names.split(", ")) for kind, names in rows.items()} == split_by.KINDS
