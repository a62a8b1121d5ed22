"""Which rows of a manifest a run uses, and which make its data what they are.

data, used = select_data(manifest, protocol, args)
"""

import dataclasses

import numpy as np
import polars as pl

from biobench import probes
from biobench._protocol import Protocol
from biobench.args import Args
from biobench.data import Manifest
from biobench.errors import BadInput

__all__ = ["select", "select_data"]

DEBUG_EXAMPLES = 256
"""examples of each split in a debugging run."""


def select_data(manifest: Manifest, protocol: Protocol, args: Args) -> tuple[Manifest, Manifest]:
    """The rows whose contents are part of the identity, and those that this run needs.

    The former are all rows, so that seeds and training sizes are known to be of one data set; a
    debugging run must not read them all. Nor must a probe that is trained on none.
    """
    used = select(manifest, protocol, args)
    return (used if args.debug or _reads_text(protocol, args) else manifest), used


def select(manifest: Manifest, protocol: Protocol, args: Args) -> Manifest:
    """The rows that this run needs: its splits, and of the training split only n_train."""
    if args.n_train != -1 and protocol.folds_test:
        raise BadInput(
            "n_train does not go with folds_test: a fold trains on all pictures of the others; "
            "leave one of them out."
        )
    if protocol.leave_one_out:
        _check_leave_one_out(protocol, args)
    trained = [] if _reads_text(protocol, args) else ["train"]
    table = manifest.split(*trained, protocol.test_split, *protocol.also_score)
    probe = args.probe or protocol.probe
    joint = probes.answers_jointly(probe)
    if joint:
        _check_joint(table, probe)
    if args.debug:
        table = _sample(table, "split", DEBUG_EXAMPLES, args.seed, everywhere=True)
    if args.n_train > 0:
        if joint and args.n_train_unit == "class":
            raise BadInput(
                "Every example has several labels here, so n_train cannot count examples of a "
                "class; set n_train_unit to 'total', or choose another probe."
            )
        unit = "label" if args.n_train_unit == "class" else "split" if joint else None
        train = table.filter(pl.col("split") == "train")
        train = _sample(train, unit, args.n_train, args.seed, everywhere=joint)
        table = pl.concat([train, table.filter(pl.col("split") != "train")])
    return dataclasses.replace(manifest, table=table)


def _reads_text(protocol: Protocol, args: Args) -> bool:
    return probes.reads_text(args.probe or protocol.probe)


def _check_leave_one_out(protocol: Protocol, args: Args) -> None:
    """Raise BadInput for what cannot be where every example is predicted from all others."""
    if args.n_train != -1:
        raise BadInput(
            f"{protocol.title} tests every picture by all others, so n_train has nothing to choose "
            "from; leave it out."
        )
    if not hasattr(probes.PROBES.load(protocol.probe), "leave_one_out_scores"):
        raise BadInput(
            f"{protocol.title} tests every picture by all others, which the probe "
            f"'{protocol.probe}' cannot; name one of neighbours in the task's protocol."
        )
    if args.probe not in ("", protocol.probe):
        raise BadInput(
            f"{protocol.title} tests every picture by all others, which the probe "
            f"'{protocol.probe}' does; '{args.probe}' would have to be fitted anew for each."
        )


def _check_joint(table: pl.DataFrame, probe: str) -> None:
    """Raise BadInput unless every subtask is a yes-or-no question about the same examples."""
    per_subtask = table.group_by("subtask").agg(pl.col("label").n_unique(), pl.len())
    n_examples = table["example"].n_unique()
    if per_subtask.height < 2 or (per_subtask["len"] != n_examples).any():
        raise BadInput(
            f"The probe '{probe}' answers several questions about each example at once, but this "
            "task has one label an example; choose another probe."
        )
    if (per_subtask["label"] > 2).any():
        raise BadInput(
            f"The probe '{probe}' answers yes-or-no questions, but a subtask has "
            f"{per_subtask['label'].max()} labels; choose another probe."
        )


def _sample(
    table: pl.DataFrame, unit: str | None, n: int, seed: int, *, everywhere: bool = False
) -> pl.DataFrame:
    """At most n examples of every subtask (or of all of them: everywhere) and every `unit`."""
    keys = ["example"] if everywhere else ["subtask", "example"]
    examples = table.unique(keys, keep="first", maintain_order=True)
    strata = examples.select(
        pl.concat_str(
            pl.lit("") if everywhere else pl.col("subtask").fill_null(""),
            pl.col(unit) if unit else pl.lit(""),
            separator="\x1f",
        ).alias("stratum")
    )["stratum"]
    index = probes.subset(
        strata.to_numpy().astype(str), examples["example"].to_list(), n, "class", seed=seed
    )
    kept = examples[np.sort(index)].select(keys)
    return table.join(kept, on=keys, how="semi", nulls_equal=True, maintain_order="left")
