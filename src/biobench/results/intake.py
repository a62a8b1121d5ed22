"""What `biobench import` is given, told by what is in it.

done = import_any(Path("results.json"), root)
"""

from pathlib import Path

from biobench.errors import BadInput
from biobench.results.importing import Imported, import_folder
from biobench.results.legacy import import_sqlite
from biobench.results.published import import_database, import_json, is_database

__all__ = ["import_any"]

SQLITE = b"SQLite format 3\x00"


def import_any(source: Path, root: Path) -> Imported:
    """Take in a results folder, a published leaderboard (JSON or database) or an older database.

    Raises BadInput where `source` is none of these.
    """
    if source.is_dir():
        return import_folder(source, root)
    if not source.is_file():
        raise BadInput(f"There is no file {source}; name what to import.")
    with open(source, "rb") as file:
        head = file.read(len(SQLITE))
    if head != SQLITE:
        return import_json(source, root)
    return (import_database if is_database(source) else import_sqlite)(source, root)
