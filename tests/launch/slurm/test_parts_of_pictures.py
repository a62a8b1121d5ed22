"""Jobs that embed a part of the pictures embed what the cells will ask for, cropped or not."""

import numpy as np
import polars as pl
from PIL import Image

from biobench import evaluate, launch, registry
from biobench.data.crops import list_views
from biobench.launch.slurm.jobs import PartJob
from biobench.launch.states.state import StateFile


def test_jobs_embed_every_box_that_their_cells_ask_for(tmp_path):
    rng = np.random.default_rng(0)
    rows = []
    for i in range(6):
        Image.fromarray(rng.integers(0, 256, (20, 40, 3), dtype=np.uint8)).save(
            tmp_path / f"{i}.png"
        )
        rows += [(f"{i}.png", "ab"[k], [20 * k, 0, 20, 20]) for k in (0, 1)]
    table = tmp_path / "boxes.parquet"
    pl.DataFrame(rows, schema=["path", "label", "box"], orient="row").write_parquet(table)
    scenes = {"kind": "folder", "datadir": str(table)}
    wide = {"crop": "square", "crop_margin": 0.2}
    plan = launch.make_plan(
        launch.Settings(
            models=["baseline:color-hist"],
            tasks={"tight": scenes | {"crop": "box"}, "wide": scenes | wide},
            data=str(tmp_path),
            results=str(tmp_path / "results"),
            device="cpu",
        )
    )
    ids = tuple(cell.id for cell in plan.cells)
    file = StateFile(plan.folder, "part", state="running")
    embedded = []
    for index in range(2):
        job = PartJob(str(tmp_path), ids, "part", index, 2, "cpu")
        counts, _ = job._embed_all(plan, file)
        embedded.append(counts["embedded"])
    assert embedded == [12, 12]
    for cell in plan.cells:
        args = cell.make_args(device="cpu")
        manifest = registry.load_task("folder").load(args)
        views = list_views(manifest.table, args.crop, args.crop_margin)
        found = evaluate.get_source(args, cell.model)(manifest.root, views.names, views.crops)
        assert found.counts["known"] == 12
