"""`biobench init`: a first config file for somebody's own pictures."""

import dataclasses
from pathlib import Path
from typing import Annotated

import tyro

from biobench.args import PictureArgs
from biobench.commands import flags

__all__ = ["Init"]


@dataclasses.dataclass(frozen=True)
@flags.take(
    PictureArgs,
    after="pictures",
    only=("root", "columns", "skip_missing", "split_by", "boxes", "box_confidence"),
)
class Init:
    """Look at your own pictures and write a config file to run, with what was found as comments.

    PICTURES is a folder, a table or another program's export (docs/folders.md, docs/exports.md).
    Nothing is embedded, and no file is overwritten.
    """

    pictures: tyro.conf.Positional[Annotated[Path, tyro.conf.arg(metavar="PICTURES")]]
    """the pictures: a folder, a table, or the folder or main file of an export."""
    out: Path = Path("biobench.toml")
    """the file to write."""

    def main(self) -> int:
        from biobench import clean
        from biobench.errors import BadInput
        from biobench.launch import starting
        from biobench.screen import say

        if self.out.exists():
            raise BadInput(f"{self.out} is there already; name another file with --out.")
        if not self.out.absolute().parent.is_dir():
            raise BadInput(f"{self.out}: there is no such folder; make it, or name another --out.")
        found = starting.look(self.pictures, flags.read(self, PictureArgs))
        text = starting.write_config(found, self.out.absolute().parent, str(self.out))
        try:
            # Not over a file that came meanwhile.
            with self.out.open("x", encoding="utf-8") as file:
                file.write(text)
        except FileExistsError:
            raise BadInput(f"{self.out} is there already; name another file with --out.") from None
        say(f"{clean.line(str(self.pictures))}: {clean.sentence(found.line)}")
        for note in found.notes:
            say(f"  note: {clean.sentence(note)}")
        run = clean.shell(["biobench", "run", str(self.out)])
        say(f"Wrote {clean.line(str(self.out))}; look at it, then: {run}")
        return 0
