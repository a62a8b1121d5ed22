"""What a task hands on: the manifest of its pictures, and how a picture is read."""

from biobench.data.manifest import Manifest, concat_rows, require_columns, require_folder

__all__ = ["Manifest", "concat_rows", "require_columns", "require_folder"]
