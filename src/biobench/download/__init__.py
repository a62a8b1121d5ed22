"""A task's published data: fetched, verified, unpacked; from any state that an earlier try left.

    plans = [make_plan("newt", newt.SOURCES, root / "newt", mirrors)]
    require_room(plans)
    with Fetcher() as fetcher:
        outcomes = download(plans[0], fetcher)

Nothing is unpacked that was not verified, and nothing that was verified is fetched twice. What is
known of each file stands in the folder `.download` beside the data (docs/download.md).
"""

from biobench.download.archives import Limits
from biobench.download.asking import Asker
from biobench.download.mirrors import Mirrors, read_mirrors
from biobench.download.planning import Item, Plan, make_plan, require_room
from biobench.download.task_folder import Outcome, download
from biobench.download.transfer import Clock, Fetcher, Policy

__all__ = [
    "Asker",
    "Clock",
    "Fetcher",
    "Item",
    "Limits",
    "Mirrors",
    "Outcome",
    "Plan",
    "Policy",
    "download",
    "make_plan",
    "read_mirrors",
    "require_room",
]
