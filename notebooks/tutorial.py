"""A first benchmark, from a backbone of your own to an understood result.

    marimo edit notebooks/tutorial.py      # to read and change it
    python notebooks/tutorial.py           # to run it from top to bottom

Needs the extras `docs` (marimo) and `demo` (weights of a small trained network).
"""

import marimo

__generated_with = "0.25.2"
app = marimo.App(app_title="biobench: a first benchmark")


@app.cell(hide_code=True)
def _(mo):
    mo.md("""
    # A first benchmark

    biobench answers one question: **how useful are the features of a frozen image model for
    biologists' pictures?** It embeds every picture once, fits a simple probe on the features,
    and scores what the probe predicts on pictures it has not seen.

    We write a backbone, let the doctor look at it, run a task, and read what comes back.
    """)
    return


@app.cell
def _():
    import pathlib
    import tempfile

    import marimo as mo
    import polars as pl
    import torch
    from scipy.stats import binomtest
    from torchvision.transforms import v2

    from biobench import demo, newt
    from biobench.demo.iwildcam import CamScale
    from biobench.demo.kabr import KabrScale
    from biobench.demo.newt import NewtScale
    from biobench.demo.plantnet import PlantScale
    from biobench.features.doctor import examine
    from biobench.interfaces import EncodedImgBatch, VisionBackbone
    from biobench.registry import register_vision_backbone

    return (
        CamScale,
        EncodedImgBatch,
        KabrScale,
        NewtScale,
        PlantScale,
        VisionBackbone,
        binomtest,
        demo,
        examine,
        mo,
        newt,
        pathlib,
        pl,
        register_vision_backbone,
        tempfile,
        torch,
        v2,
    )


@app.cell(hide_code=True)
def _(mo):
    mo.md("""
    ## 1. A backbone

    A backbone is a `torch.nn.Module` with two methods. `make_img_transform` returns a function
    from a PIL picture to a tensor; `img_encode` turns a batch of such tensors into one vector a
    picture. Its constructor gets the checkpoint's name.

    Ours looks at colour only: it lays a grid over the picture and takes the mean and the spread
    of each colour channel in each cell. The checkpoint's name is the number of cells a side.
    """)
    return


@app.cell
def _(EncodedImgBatch, VisionBackbone, register_vision_backbone, torch, v2):
    class ColourGrid(VisionBackbone):
        """Mean and spread of each colour channel in each cell of a grid; CKPT is cells a side."""

        def __init__(self, ckpt: str):
            super().__init__()
            self.n_cells = int(ckpt)
            self.eval()

        def img_encode(self, batch):
            side = batch.shape[-1] // self.n_cells
            cells = batch.unfold(2, side, side).unfold(3, side, side)
            moments = torch.cat([cells.mean(dim=(4, 5)), cells.std(dim=(4, 5))], dim=1)
            patches = moments.flatten(2).transpose(1, 2)
            return EncodedImgBatch(img_features=patches.flatten(1), patch_features=patches)

        def make_img_transform(self):
            scale = v2.ToDtype(torch.float32, scale=True)
            return v2.Compose([v2.Resize((64, 64)), v2.ToImage(), scale])

        def cache_identity(self) -> str:
            # The grid is in neither weights nor transform, and features of 4 x 4 cells must not be
            # taken from the cache for 2 x 2.
            return str(self.n_cells)

    register_vision_backbone("tutorial", ColourGrid)
    return (ColourGrid,)


@app.cell(hide_code=True)
def _(mo):
    mo.md("""
    ## 2. The doctor

    Before we believe numbers, we ask whether the backbone behaves: is it in evaluation mode, is
    a picture's feature the same alone and in a batch, are there NaN? On the command line this
    is `biobench doctor ORG:CKPT`.
    """)
    return


@app.cell
def _(ColourGrid, examine, pl):
    checks = pl.DataFrame(examine(ColourGrid("4"), ("tutorial", "4")))
    checks
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md("""
    ## 3. A task

    We need pictures with labels. biobench can draw a small world of organisms in the very
    layout of the published data sets, so that this notebook needs no download; with the real
    data the only thing to change is `datadir`. Here we draw a little of NeWT, the Natural World
    Tasks: many small tasks with two classes each, in four clusters.
    """)
    return


@app.cell
def _(CamScale, KabrScale, NewtScale, PlantScale, demo, pathlib, tempfile):
    scale = demo.Scale(
        newt=NewtScale(tasks=4, train=16, test=20),
        # The other tasks' data are drawn along, as small as they can be.
        kabr=KabrScale(train=2, val=2, frames=2, clips_a_video=1.5),
        iwildcam=CamScale(3, 5, 2, 4, 1, 1, 2, 1, 2),
        plantnet=PlantScale(species=3, train=9, val=4, test=1),
    )
    world = demo.generate(
        pathlib.Path(tempfile.gettempdir()) / "biobench-tutorial", size=scale, seed=0
    )
    return (world,)


@app.cell(hide_code=True)
def _(mo):
    mo.md("""
    Every task is a module with `Args` and `benchmark`. `benchmark` takes arguments and a model,
    written as (organisation, checkpoint), and returns the model and a `TaskReport`. We run our
    backbone, and a small network trained on ImageNet to compare it with.
    """)
    return


@app.cell
def _(ColourGrid, newt, world):
    # The class must be registered before its name is used; naming it tells marimo the order.
    assert ColourGrid
    args = newt.Args(datadir=str(world.out / "newt"), device="cpu", n_workers=0)
    reports = dict(
        newt.benchmark(args, model)
        for model in [("tutorial", "4"), ("timm", "tf_efficientnet_lite0")]
    )
    ours = reports["tutorial", "4"]
    trained = reports["timm", "tf_efficientnet_lite0"]
    return ours, reports, trained


@app.cell(hide_code=True)
def _(mo):
    mo.md("""
    ## 4. The score, and how sure it is

    A score alone says little: with another handful of test pictures it would have been another.
    `get_confidence_interval` gives the range in which the score on a fresh test set of the same
    size is expected, in 95 of 100 cases.
    """)
    return


@app.cell
def _(pl, reports):
    scores = pl.DataFrame(
        [
            {
                "model": ":".join(model),
                "score": report.get_mean_score(),
                "ci_low": report.get_confidence_interval()[0],
                "ci_high": report.get_confidence_interval()[1],
                "n": len(report.examples),
            }
            for model, report in reports.items()
        ]
    )
    scores
    return (scores,)


@app.cell(hide_code=True)
def _(mo, scores):
    first, second = scores.rows(named=True)
    mo.md(
        f"""
        Guessing would score 0.5. Our colours score **{first["score"]:.2f}** (from
        {first["ci_low"]:.2f} to {first["ci_high"]:.2f}), the trained network
        **{second["score"]:.2f}** (from {second["ci_low"]:.2f} to {second["ci_high"]:.2f}), on
        {first["n"]} test pictures. Where two such ranges overlap, do not conclude that the models
        are equal, nor that they differ: compare them picture by picture, as below.
        """
    )
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md("""
    ## 5. Splits: where a model is good

    `splits` are named sub-scores; for NeWT the mean accuracy in each cluster of tasks, and the
    mean over all tasks.
    """)
    return


@app.cell
def _(ours, pl, trained):
    splits = pl.DataFrame(
        {
            "split": list(ours.splits),
            "colour grid": list(ours.splits.values()),
            "trained network": [trained.splits[name] for name in ours.splits],
        }
    )
    splits
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md("""
    ## 6. Examples: which pictures it got wrong

    Every test picture is in the report, under its real id (here the file's name), with the
    truth, the prediction and what the task knows of it. Everything above was computed from this
    table alone.
    """)
    return


@app.cell
def _(ours, pl, trained):
    def to_table(report):
        rows = [
            {"id": example.id, "score": example.score, **example.info}
            for example in report.examples
        ]
        return pl.DataFrame(rows, infer_schema_length=None)

    columns = ["id", "subtask", "cluster", "y_true", "y_pred", "score"]
    examples = to_table(ours).select(columns)
    assert examples["score"].mean() == ours.get_mean_score()

    both = examples.join(
        to_table(trained).select("id", "subtask", trained="score"), on=["id", "subtask"]
    )
    wrong = both.filter(pl.col("score") == 0)
    wrong
    return (both,)


@app.cell
def _(binomtest, both, pl):
    differing = {
        "only the trained network was right": both.filter(
            (pl.col("trained") == 1) & (pl.col("score") == 0)
        ).height,
        "only the colour grid was right": both.filter(
            (pl.col("trained") == 0) & (pl.col("score") == 1)
        ).height,
    }
    n_differing = sum(differing.values())
    # An exact sign test (McNemar).
    chance = binomtest(differing["only the colour grid was right"], n_differing).pvalue
    differing
    return chance, differing


@app.cell(hide_code=True)
def _(chance, differing, mo):
    better, worse = differing.values()
    mo.md(
        f"""
        Pictures that both got right, or both wrong, say nothing about which model is better. Of the
        {better + worse} on which they differ, the trained network was right on {better}. Were
        neither better, a split at least as uneven would come up by chance in
        **{100 * chance:.0f}%** of test sets: below 5% we would call the models different.
        `biobench compare` does this for every task at once, and allows for pictures that belong
        together (a camera, a film).
        """
    )
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md("""
    ## 7. Provenance: how to get the same number again

    A report says what made it: the protocol, a digest of the data and one of the backbone, what
    was skipped, and how long each stage took. `to_dict()` gives all of it as plain JSON types.
    """)
    return


@app.cell
def _(ours):
    provenance = ours.to_dict()["provenance"]
    {name: provenance[name] for name in ("protocol", "backbone", "counts", "skipped", "stages")}
    return


@app.cell(hide_code=True)
def _(mo):
    mo.md("""
    ## Next

    - Your own pictures in folders by class: `biobench run --tasks folder --data PICTURES
      --models timm:tf_efficientnet_lite0 baseline:color-hog` (see README).
    - More backbones: `docs/backbones.md`.
    - All results together: `biobench leaderboard --results results`.
    """)
    return


if __name__ == "__main__":
    app.run()
