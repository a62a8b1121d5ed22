"""Where things stand in the site: file names that no name from elsewhere can lead astray.

    address("models", "timm:vit_base.in1k")      # "models/timm-vit-base-in1k-5f0c1e2a.html"

The same name always has the same address, so that a link outlives the next site.
"""

import hashlib
import re
import unicodedata

__all__ = ["address", "to_file_name"]

MAX_LENGTH = 60


def to_file_name(name: str) -> str:
    """A file name of lower-case letters, digits and dashes, unlike that of every other name.

    It is none of those that some systems reserve, and tells names apart where the file system
    does not know capitals: a digest of the name stands behind what can be read of it.
    """
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    words = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:MAX_LENGTH].strip("-")
    digest = hashlib.sha256(name.encode(errors="surrogatepass")).hexdigest()[:8]
    return f"{words}-{digest}" if words else digest


def address(folder: str, name: str) -> str:
    """The page of a thing, relative to the site's first page."""
    return f"{folder}/{to_file_name(name)}.html"
