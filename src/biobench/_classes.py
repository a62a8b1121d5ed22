"""Classes that are named instead of trained: who can be predicted, what they are called, and what a
text tower makes of their prompts.

    manifest, classes = find_classes(manifest, protocol, args)    # None, where a probe is trained
    prompted = Prompted(classes, source.text)
    x, y = prompted.get(subtask)                                  # what the probe is fitted on
"""

import collections
import dataclasses
import functools
import hashlib
import json
import typing
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl
import scipy.sparse
from jaxtyping import Float, Shaped

from biobench import features, metrics, probes, registry
from biobench._protocol import Protocol
from biobench.args import Args
from biobench.contract import ModelArgs
from biobench.data import Manifest, names, prompts
from biobench.data.picture_files import show_names
from biobench.data.traps import Trap
from biobench.errors import BadInput
from biobench.fields import list_options

__all__ = ["FILE_ORG", "OPTIONS", "Classes", "Prompted", "check_text", "find_classes"]

FILE_ORG = "features"
"""model_org of vectors that were computed elsewhere; the checkpoint is the name the user gave."""

OPTIONS = ("names", "candidates", "prompt", "templates")
"""options that decide which prompts there are; what they decide is in a protocol's `zero_shot`."""

_CHUNK = 4096
_IN_WORDS = "text_label"


@dataclasses.dataclass(frozen=True)
class Classes:
    """What a picture can be said to be."""

    table: pl.DataFrame
    """one row a class: subtask, label, name (as prompts have it), and the ranks."""
    templates: tuple[str, ...]
    described: dict[str, object]
    """their part of a protocol, in plain JSON types."""
    notes: tuple[str, ...] = ()
    """what a reader should know of the names, one sentence each."""
    odd: tuple[Trap, ...] = ()

    @functools.cached_property
    def prompts(self) -> list[str]:
        """Every prompt, all templates of one name after the other; equal names have them once."""
        named = self.table["name"].unique(maintain_order=True)
        return [template.format(name) for name in named for template in self.templates]


class Prompted:
    """Classes with the features of their prompts; texts that are not known are encoded here."""

    def __init__(self, classes: Classes, source: "features.TextSource"):
        self.classes = classes
        self.tower = source.tower
        self.features = source(classes.prompts)
        self.params: dict[str, typing.Any] = {
            "logit_scale": self.tower.logit_scale,
            "logit_bias": self.tower.logit_bias,
            "link": self.tower.link,
        }
        """of the probe: the model's own."""
        self.warnings = [*self.features.warnings, *self._find_equal()]
        """what a reader should know of how the prompts were read, one sentence each."""

    def check_space(self, described: dict[str, object]) -> None:
        """Raise BadInput where texts and pictures do not lie in one space, before pictures are
        embedded; described: what the model's source says of itself."""
        if described["dim"] != self.features.dim:
            raise BadInput(
                f"{described['name']} makes {described['dim']} numbers of a picture but "
                f"{self.features.dim} of a text, so they cannot be compared: image features must "
                "be the projected ones that its text tower was trained with."
            )

    def get(
        self, subtask: str | None
    ) -> tuple[Float[np.ndarray, "n dim"], Shaped[np.ndarray, " n"]]:
        """The features of a subtask's prompts, and the class that each names."""
        rows = self._get_rows(subtask)
        n = len(self.classes.templates)
        named = self.classes.table["name"].unique(maintain_order=True)
        first = {name: number * n for number, name in enumerate(named)}
        index = [first[name] + i for name in rows["name"] for i in range(n)]
        labels = np.repeat(rows["label"].to_numpy().astype(str), n)
        return self.features.take(np.asarray(index, dtype=np.int64)), labels

    def add_probabilities(
        self, test: pl.DataFrame, problem: "probes.Problem", name: str
    ) -> pl.DataFrame:
        """With the probability of each prediction, and the likeliest taxon of each rank.

        That is the taxon whose classes' probabilities sum to most, as pybioclip has it (Imageomics
        Institute). Classes whose taxon is not known count for none.
        """
        if not test.height:
            return test
        rows = self._get_rows(test["subtask"][0])
        probe = probes.make(name, **self.params)
        probe.fit(problem.x_train, problem.y_train)
        ranks = [rank for rank in names.TAXA if rows[rank].count()]
        sums = {rank: _make_sum(rows, probe.classes_, rank) for rank in ranks}
        best: list[np.ndarray] = []
        found: dict[str, list[np.ndarray]] = {rank: [] for rank in ranks}
        for start in range(0, test.height, _CHUNK):
            p = probe.predict_proba(problem.x_test[start : start + _CHUNK])
            best.append(p.max(axis=1))
            for rank, (taxa, member) in sums.items():
                found[rank].append(taxa[(p @ member).argmax(axis=1)])
        return test.with_columns(
            pl.Series("probability", np.concatenate(best)),
            *(
                pl.Series(metrics.predicted(rank), np.concatenate(parts).tolist(), dtype=pl.String)
                for rank, parts in found.items()
            ),
        )

    def _find_equal(self) -> list[str]:
        """Which names become one vector: a tower cuts off what is longer than it reads."""
        templates = self.classes.templates
        longest = max(range(len(templates)), key=lambda i: len(templates[i]))
        named = self.classes.table["name"].unique(maintain_order=True).to_list()
        index = np.arange(len(named), dtype=np.int64) * len(templates) + longest
        rows = [vector.tobytes() for vector in self.features.take(index)]
        n_each = collections.Counter(rows)
        equal = [name for name, row in zip(named, rows, strict=True) if n_each[row] > 1]
        if not equal:
            return []
        return [
            f"{len(equal):,} names become the same vector as another ({show_names(equal)}): the "
            "model cannot tell them apart, most likely because it reads no texts as long; choose a "
            "shorter --prompt."
        ]

    def _get_rows(self, subtask: str | None) -> pl.DataFrame:
        return self.classes.table.filter(pl.col("subtask").eq_missing(pl.lit(subtask, pl.String)))


def _make_sum(
    rows: pl.DataFrame, classes: Shaped[np.ndarray, " c"], rank: str
) -> tuple[Shaped[np.ndarray, " t"], scipy.sparse.csr_array]:
    """The taxa of a rank, and the matrix [c t] that sums what is known of classes into them."""
    of_label = dict(rows.select("label", rank).drop_nulls().iter_rows())
    named = [(i, of_label[label]) for i, label in enumerate(classes) if label in of_label]
    taxa, codes = np.unique([taxon for _, taxon in named], return_inverse=True)
    index = np.array([i for i, _ in named])
    shape = len(classes), len(taxa)
    return taxa, scipy.sparse.csr_array((np.ones(len(index)), (index, codes)), shape=shape)


def check_text(model_args: ModelArgs, probe: str) -> None:
    """Raise BadInput where a probe needs texts and the model reads none; loads no weights."""
    if not probes.reads_text(probe):
        return
    org, ckpt = model_args
    example = "choose one that has, as open-clip:ViT-B-16/openai, or another probe."
    if org == FILE_ORG:
        raise BadInput(
            f"{org}:{ckpt} are vectors of pictures from a file, but the probe '{probe}' needs a "
            f"model with a text tower: {example}"
        )
    if not registry.load_vision_backbone_class(org).has_text_tower(ckpt):
        raise BadInput(
            f"{org}:{ckpt} has no text tower, which the probe '{probe}' needs: {example}"
        )


def find_classes(
    manifest: Manifest, protocol: Protocol, args: Args
) -> tuple[Manifest, Classes | None]:
    """The classes of a probe that reads, and the manifest with the ranks that their names tell.

    For any other probe the manifest as it is, and None. Raises BadInput for options that do not go
    together, and for classes that have no name.
    """
    probe = args.probe or protocol.probe
    if not probes.reads_text(probe):
        _refuse_options(args, probe)
        return manifest, None
    if args.n_train != -1 or protocol.folds_test:
        what = "folds_test" if protocol.folds_test else "n_train"
        raise BadInput(
            f"The probe '{probe}' is trained on no picture, so {what} has nothing to choose; leave "
            "it out."
        )
    if args.pool != "default":
        raise BadInput(
            f"The probe '{probe}' compares pictures with texts, for which only the model's own "
            f"vector will do; leave --pool {args.pool} out."
        )
    if args.trust:
        raise BadInput(
            f"The probe '{probe}' reads by no repository's own code, so --trust has nothing to "
            "allow; leave it out, and write a commit as hf:ORG/REPO@COMMIT."
        )
    given = names.read_names(Path(args.names)) if args.names else None
    known, notes = _name_labels(manifest, given, protocol)
    manifest = _add_ranks(manifest, known)
    table = known
    if args.candidates:
        table = _restrict(known, given, args)
    table, same = _write_names(table, args)
    odd = [*same, *_find_impossible(manifest, table, protocol, args)]
    for subtask, n in table.group_by("subtask", maintain_order=True).len().iter_rows():
        if n < 2:
            where = "There" if subtask is None else f"In subtask '{subtask}' there"
            raise BadInput(f"{where} is one class only; a choice needs at least two.")
    templates = prompts.list_templates(args.templates)
    text = json.dumps([table.select(sorted(table.columns)).rows(), templates])
    described = {
        "prompt": args.prompt,
        "templates": args.templates,
        "n_templates": len(templates),
        "n_classes": table.height,
        "digest": hashlib.sha256(text.encode()).hexdigest()[:16],
    }
    return manifest, Classes(table, templates, described, tuple(notes), tuple(odd))


def _refuse_options(args: Args, probe: str) -> None:
    """Raise BadInput for an option of prompts where there are none."""
    options = list_options(type(args))
    for name in OPTIONS:
        if getattr(args, name) != options[name].default:
            raise BadInput(
                f"--{name} is for classes that are only named, but the probe '{probe}' is trained; "
                "use --probe zero-shot, or leave it out."
            )


def _name_labels(
    manifest: Manifest, given: pl.DataFrame | None, protocol: Protocol
) -> tuple[pl.DataFrame, list[str]]:
    """One row a label of the data, columns `names.COLUMNS`; raises BadInput where one has no name.

    What a table of names says goes before what the data say, but for the ranks: there the data are
    the truth that is asked for.
    """
    keys = ["subtask", "label"]
    # NeWT says in words what a subtask's labels 0 and 1 are.
    called = {name: _IN_WORDS if name == "text" else name for name in names.NAMES}
    own = {name: column for name, column in called.items() if column in manifest.table.columns}
    labels = manifest.table.group_by(keys, maintain_order=True).agg(
        # What is not the same for all pictures of a label is no name of it.
        pl.when(pl.col(column).drop_nulls().n_unique() == 1)
        .then(pl.col(column).drop_nulls().cast(pl.String).first())
        .alias(name)
        for name, column in own.items()
    )
    lacking = [column for column in names.NAMES if column not in labels.columns]
    labels = labels.with_columns(pl.lit(None, pl.String).alias(column) for column in lacking)
    if given is not None:
        labels = _join_names(labels, given)
    is_unnamed = pl.all_horizontal(pl.col(name).is_null() for name in names.NAMES)
    unnamed = labels.filter(is_unnamed)
    if not unnamed.height:
        return labels.select(names.COLUMNS), []
    shown, n = show_names(unnamed["label"].to_list()), unnamed.height
    if given is not None:
        raise BadInput(
            f"The names table has no name for {n:,} of the {labels.height:,} labels of "
            f"{protocol.title} ({shown}); add a row for each."
        )
    numbers = [label for label in unnamed["label"] if not any(map(str.isalpha, label))]
    if numbers:
        raise BadInput(
            f"{len(numbers):,} labels of {protocol.title} name no class ({show_names(numbers)}); "
            "say what they are called with --names FILE, a table with columns label, scientific "
            "and common."
        )
    words = pl.Series([names.to_words(label) for label in labels["label"]], dtype=pl.String)
    labels = labels.with_columns(text=pl.when(is_unnamed).then(words))
    note = f"{n:,} classes are called as their labels ({shown}); --names FILE says it otherwise."
    return labels.select(names.COLUMNS), [note]


def _join_names(labels: pl.DataFrame, given: pl.DataFrame) -> pl.DataFrame:
    """The labels with what a table says of them: of those of their subtask, or of all."""
    has_subtask = pl.col("subtask").is_not_null()
    parts = {
        ("subtask", "label"): given.filter(has_subtask),
        ("label",): given.filter(~has_subtask),
    }
    for on, part in parts.items():
        said = part.select(*on, *(pl.col(name).alias(f"said {name}") for name in names.NAMES))
        labels = labels.join(said, on=on, how="left", nulls_equal=True, maintain_order="left")
        for name in names.NAMES:
            both = [name, f"said {name}"] if name in names.TAXA else [f"said {name}", name]
            labels = labels.with_columns(pl.coalesce(both).alias(name)).drop(f"said {name}")
    return labels


def _add_ranks(manifest: Manifest, known: pl.DataFrame) -> Manifest:
    """The manifest with the ranks of its labels, where names tell some that it has no column of."""
    new = [
        rank for rank in names.TAXA if known[rank].count() and rank not in manifest.table.columns
    ]
    if not new:
        return manifest
    keys = ["subtask", "label"]
    told = known.select(*keys, *new)
    table = manifest.table.join(told, on=keys, how="left", nulls_equal=True, maintain_order="left")
    return dataclasses.replace(manifest, table=table)


def _restrict(known: pl.DataFrame, given: pl.DataFrame | None, args: Args) -> pl.DataFrame:
    """The classes that a list of candidates means."""
    if known["subtask"].count():
        raise BadInput("--candidates is for tasks of one question; leave it out.")
    if given is not None:
        others = given.filter(pl.col("subtask").is_null())
        others = others.join(known, on="label", how="anti", maintain_order="left")
        known = pl.concat([known, others.select(names.COLUMNS)])
    return names.match_candidates(names.read_candidates(Path(args.candidates)), known)


def _write_names(table: pl.DataFrame, args: Args) -> tuple[pl.DataFrame, list[Trap]]:
    """One row a class with its name as prompts have it; raises BadInput where there is none."""
    form: prompts.Form = args.prompt
    written = [prompts.write_name(row, form) for row in table.rows(named=True)]
    named = table.select("subtask", "label", pl.Series("name", written, pl.String), *names.TAXA)
    lacking = named.filter(pl.col("name").is_null())["label"].to_list()
    if lacking:
        raise BadInput(
            f"{len(lacking):,} of {len(named):,} classes have no {form} name "
            f"({show_names(lacking)}); add it to the table of --names, or choose another --prompt."
        )
    same = named.filter(pl.struct("subtask", "name").is_duplicated())["label"].to_list()
    if not same:
        return named, []
    sentence = (
        f"{len(same):,} classes are called as another is ({show_names(same)}): their prompts are "
        "the same, and the first of equals is predicted."
    )
    return named, [Trap("classes with the name of another", len(same), tuple(same[:3]), sentence)]


def _find_impossible(
    manifest: Manifest, table: pl.DataFrame, protocol: Protocol, args: Args
) -> Sequence[Trap]:
    """The classes of the test that cannot be predicted; raises BadInput where that is all."""
    if not args.candidates:
        return []
    tested = manifest.split(protocol.test_split)
    lost = tested.join(table, on="label", how="anti", maintain_order="left")
    labels = lost["label"].unique(maintain_order=True).to_list()
    if lost.height == tested.height:
        raise BadInput(
            f"{args.candidates} lists no class of {protocol.title} ({show_names(labels)}); write "
            "labels, scientific or common names as the data or the table of --names have them."
        )
    if not labels:
        return []
    sentence = (
        f"{len(labels):,} classes of the test are no candidates ({show_names(labels)}): their "
        f"{lost['example'].n_unique():,} examples cannot be right."
    )
    kind = "test classes that are no candidates"
    return [Trap(kind, len(labels), tuple(labels[:3]), sentence)]
