"""Taking in the field's published leaderboard: its `results.json`, or the database behind it.

    done = import_json(Path("results.json"), root)
    done = import_database(Path("reports.sqlite"), root)

The first has scores and intervals but no predictions: its runs show what was published and are
marked, nothing is computed from them. The second has predictions, from which score and interval are
computed anew. Both stand under the preset 2026 (docs/importing.md).
"""

from biobench.results.published.database import import_database, is_database
from biobench.results.published.json_file import import_json
from biobench.results.published.judging import BARE, KINDS, get_doubts
from biobench.results.published.known_facts import PRESET, WRONG, map_model, map_task

__all__ = [
    "BARE",
    "KINDS",
    "PRESET",
    "WRONG",
    "get_doubts",
    "import_database",
    "import_json",
    "is_database",
    "map_model",
    "map_task",
]
