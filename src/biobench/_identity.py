"""What makes a cell the same cell: its data, by content, its protocol and its backbone.

    prepared = evaluate.prepare(task, args)     # nothing read yet
    prepared.protocol_digest                    # reads the pictures whose content is not known

The table in docs/identity.md lists what goes in.
"""

import dataclasses
import functools
import json

import polars as pl

from biobench import features, probes
from biobench._remembering import Seen
from biobench.args import Args
from biobench.data import Manifest, contents
from biobench.errors import BadInput
from biobench.interfaces import Provenance

__all__ = ["Prepared", "check_args", "hash_data"]

MAX_SEED = 2**32 - 1
"""numpy's RandomState, and scikit-learn with it, take no higher one."""


@dataclasses.dataclass(frozen=True)
class Prepared:
    """A cell's protocol and data, of which nothing has been read."""

    protocol: dict[str, object]
    """everything besides data and backbone that decides the numbers."""
    manifest: Manifest
    """the rows that a run uses."""
    data: Manifest
    """the rows that make the data what they are: those of every subset and seed, too."""
    known: contents.Known
    """what is known of the contents of the pictures of `data`."""
    seen: Seen | None = None
    """for another process, which then need not look again; None where that cannot be."""

    @property
    def protocol_text(self) -> str:
        """The protocol as JSON, as `results.scan` has it."""
        return json.dumps(self.protocol, sort_keys=True)

    @property
    def is_known(self) -> bool:
        """Whether the digest can be told without reading a picture."""
        return not self.known.unknown

    @functools.cached_property
    def protocol_digest(self) -> str:
        """The digest of protocol and data; pictures whose content is not known are read for it."""
        hashes = contents.hash_files(self.data.root, self.data.images(), self.known)
        manifest = self.data.digest(hashes)
        return Provenance(protocol=self.protocol, manifest=manifest).protocol_digest()


def check_args(args: Args) -> None:
    """Raise BadInput for values that would fail only after hours."""
    if args.probe:
        probes.PROBES.load(args.probe)
    if args.n_train == 0 or args.n_train < -1:
        raise BadInput(f"n_train is {args.n_train}; give a positive number, or -1 for all.")
    if not 0 <= args.seed <= MAX_SEED:
        raise BadInput(f"seed is {args.seed}; give a number from 0 to {MAX_SEED}.")
    args.check_embedding()


def hash_data(data: Manifest, feats: "features.Features") -> pl.Series:
    """The contents of `data.images()`, in order: of the very bytes that were embedded, if any."""
    images = data.images()
    hashes: dict[str, bytes | None] = dict(feats.contents)
    unread = [image for image in images if image not in hashes]
    if unread:
        found = contents.hash_files(data.root, unread)
        hashes.update(zip(unread, found.to_list(), strict=True))
    return pl.Series([hashes[image] for image in images], dtype=pl.Binary)
