"""Pictures as the programs of ecologists export them: camera traps, collections, observations.

    found = find_export(path)                    # an Export, or None: a folder of class folders
    found.name, found.main                       # "Camtrap DP package", …/datapackage.json
    found.read(root, columns={"label": "genus"}) # a PictureTable

One module a format; a further one is a file with a `FORMAT` and a line in `FORMATS`. An export is
recognised by what its files hold, whatever they are called.
"""

import dataclasses
import pathlib
from collections.abc import Mapping

from biobench.data.exports import (
    camtrap_dp,
    coco,
    darwin_core,
    inaturalist,
    timelapse,
    wildlife_insights,
)
from biobench.data.exports.assembling import assemble
from biobench.data.exports.kind import Format, Options, Place
from biobench.data.exports.megadetector import Boxes, read_boxes
from biobench.data.exports.megadetector import find as find_boxes
from biobench.data.picture_table import PictureTable
from biobench.errors import BadInput

__all__ = ["FORMATS", "Boxes", "Export", "Place", "find_boxes", "find_export", "read_boxes"]

FORMATS: tuple[Format, ...] = (
    camtrap_dp.FORMAT,
    coco.FORMAT,
    wildlife_insights.FORMAT,
    timelapse.FORMAT,
    inaturalist.FORMAT,
    darwin_core.FORMAT,
)
"""the formats that have labels; MegaDetector's boxes go with any of them."""


@dataclasses.dataclass(frozen=True)
class Export:
    """An export that was found."""

    format: Format
    main: pathlib.Path
    """the file that makes it one."""

    @property
    def name(self) -> str:
        return self.format.name

    def read(self, root: pathlib.Path, columns: Mapping[str, str] | None = None) -> PictureTable:
        """The pictures below `root` that it labels.

        columns: names of its columns for the roles label, group, split and id. Raises BadInput.
        """
        given = dict(columns or {})
        rows = self.format.read(self.main, Options(label=given.get("label", "")))
        return assemble(rows, self.name, self.main, root, given)


def find_export(place: Place) -> Export | None:
    """The export that a folder or a file is; None where it is none.

    Raises BadInput where it could be two.
    """
    found = [(one, main) for one in FORMATS if (main := one.find(place))]
    if len(found) > 1:
        names = " and ".join(f"a {one.name} ({main.name})" for one, main in found)
        raise BadInput(
            f"{found[0][1].parent} holds {names}; say which with --data, as --data {found[0][1]}."
        )
    return Export(*found[0]) if found else None
