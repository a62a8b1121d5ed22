"""What a task hands on: the manifest of its pictures, and how a picture is read."""

from biobench.data.class_folders import read_class_folders
from biobench.data.knowledge import FACTS, RANKS, find_facts, read_binomials
from biobench.data.manifest import (
    Manifest,
    read_table,
    require_columns,
    require_folder,
    require_plain,
    require_values,
)
from biobench.data.picture_files import (
    SUFFIXES,
    LeftOut,
    Pictures,
    count_left_out,
    list_pictures,
    match_case,
    match_suffix_case,
)
from biobench.data.picture_table import PictureTable, parse_columns, read_picture_table

__all__ = [
    "FACTS",
    "RANKS",
    "SUFFIXES",
    "LeftOut",
    "Manifest",
    "PictureTable",
    "Pictures",
    "count_left_out",
    "find_facts",
    "list_pictures",
    "match_case",
    "match_suffix_case",
    "parse_columns",
    "read_binomials",
    "read_class_folders",
    "read_picture_table",
    "read_table",
    "require_columns",
    "require_folder",
    "require_plain",
    "require_values",
]
