"""Checksums, written ALGORITHM:HEX: of files, of files in pieces, and from published lists."""

import hashlib
import io
import re
from collections.abc import Sequence
from pathlib import Path

from biobench.errors import BadInput
from biobench.progress import report

__all__ = ["RECORDED", "Joined", "hash_file", "parse", "read_list"]

RECORDED = "sha256"
"""algorithm of a checksum that is recorded where none is published."""
CHUNK = 1 << 20
_LENGTHS = {"md5": 32, "sha1": 40, "sha256": 64, "sha512": 128}


def parse(checksum: str, source: str) -> str:
    """The algorithm of "ALGORITHM:HEX"; raises BadInput naming `source` where it is not that."""
    name, _, digits = checksum.partition(":")
    if not re.fullmatch("[0-9a-f]*", digits) or _LENGTHS.get(name) != len(digits):
        raise BadInput(
            f"{source}: the checksum '{checksum}' is not ALGORITHM:HEX in small letters with one "
            f"of {', '.join(_LENGTHS)}; correct it."
        )
    return name


def hash_file(path: Path | Sequence[Path], algorithm: str, stage: str) -> str:
    """ "ALGORITHM:HEX" of a file, or of files one after the other; progress is of bytes."""
    digest = hashlib.new(algorithm)
    paths = [path] if isinstance(path, Path) else list(path)
    done, total = 0, sum(part.stat().st_size for part in paths)
    report(stage, 0, total)
    for part in paths:
        with part.open("rb") as file:
            while chunk := file.read(CHUNK):
                digest.update(chunk)
                done += len(chunk)
                report(stage, done, total)
    return f"{algorithm}:{digest.hexdigest()}"


def read_list(path: Path) -> dict[str, str]:
    """File name -> "ALGORITHM:HEX" of a list as `md5sum` or BSD's `md5` writes it.

    A digest that stands alone has the name "". Raises BadInput where a line is none of these.
    """
    found = {}
    for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
        if not line.strip():
            continue
        plain = re.fullmatch(r"\\?([0-9A-Fa-f]{32,128})(?:\s+\*?(.*?))?\s*", line.strip())
        bsd = re.fullmatch(r"\w+ ?\((.*)\) ?= ?([0-9A-Fa-f]{32,128})\s*", line.strip())
        digits, name = (
            (plain[1], plain[2] or "") if plain else (bsd[2], bsd[1]) if bsd else ("", "")
        )
        algorithm = next((a for a, length in _LENGTHS.items() if length == len(digits)), None)
        if algorithm is None:
            raise BadInput(
                f"{path}: line {number} is not a checksum and a file name; remove the file to "
                "fetch it again."
            )
        found[name.rpartition("/")[2]] = f"{algorithm}:{digits.lower()}"
    return found


class Joined(io.RawIOBase):
    """Files read as one, in order, without a copy: the pieces of a split archive."""

    def __init__(self, paths: Sequence[Path]) -> None:
        super().__init__()
        self._files = [path.open("rb") for path in paths]
        self._sizes = [path.stat().st_size for path in paths]
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: sum(self._sizes)}[whence]
        if base + offset < 0:
            raise OSError(22, "Negative position")
        self._at = base + offset
        return self._at

    def readinto(self, buffer) -> int:
        start = 0
        for file, size in zip(self._files, self._sizes, strict=True):
            if self._at < start + size:
                file.seek(self._at - start)
                count = file.readinto(memoryview(buffer)[: start + size - self._at])
                self._at += count
                return count
            start += size
        return 0

    def close(self) -> None:
        for file in self._files:
            file.close()
        super().close()
