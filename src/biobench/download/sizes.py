"""Numbers of bytes, for people, and how many of them stay free on a disk."""

__all__ = ["ROOM", "show_bytes"]

ROOM = 64 << 20
"""bytes that stay free on the disk."""


def show_bytes(count: float) -> str:
    """A number of bytes for people, in the powers of ten that disks and publishers use."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} bytes" if unit == "bytes" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"
