"""What can go wrong with one source; the other sources go on."""

from biobench.errors import CellFailed

__all__ = ["ArchiveDamaged", "ArchiveRefused", "NotFetched", "SourceFailed"]


class SourceFailed(CellFailed):
    """One source cannot be brought into place; the message says what to do."""


class NotFetched(SourceFailed):
    """No address gave the file."""

    def __init__(self, causes: dict[str, str]) -> None:
        tried = "; ".join(f"{address}: {cause}" for address, cause in causes.items())
        super().__init__(f"no address gave it ({tried})")
        self.causes = causes
        """address -> why not."""


class ArchiveRefused(SourceFailed):
    """An archive that is damaged, or that would write where or what it should not."""


class ArchiveDamaged(ArchiveRefused):
    """An archive that ends too early, or is none."""
