"""What a task hands on: the manifest of its pictures, and how a picture is read."""

from biobench.data.manifest import Manifest, read_table, require_columns, require_folder
from biobench.data.scan import SUFFIXES, Pictures, list_pictures, match_suffix_case

__all__ = [
    "SUFFIXES",
    "Manifest",
    "Pictures",
    "list_pictures",
    "match_suffix_case",
    "read_table",
    "require_columns",
    "require_folder",
]
