"""A backbone in a file of its own: the mean colours of a grid of cells.

    biobench doctor colour-grid:4 --imports own_backbone.py
    biobench run --imports own_backbone.py --models colour-grid:4 --tasks newt --data DATA

What it computes is plain; what a network needs beside it stands in docs/backbones.md.
"""

import torch
from torchvision.transforms import v2

from biobench.errors import BadInput
from biobench.interfaces import EncodedImgBatch, VisionBackbone
from biobench.registry import register_vision_backbone

SIZE = 64


class ColourGrid(VisionBackbone):
    """Mean colours of N x N cells of a picture, `colour-grid:N`."""

    description = "mean colours of N x N cells of a picture"
    example_ckpts = ("4", "8")
    weights_source = "nowhere: it has none"

    def __init__(self, ckpt: str):
        super().__init__()
        self.check_ckpt(ckpt)
        self.cells = torch.nn.AdaptiveAvgPool2d(int(ckpt))
        self.eval()

    @classmethod
    def check_ckpt(cls, ckpt: str) -> None:
        """Before hours of work, not after: only the name is looked at."""
        if not (ckpt.isdecimal() and 1 <= int(ckpt) <= SIZE):
            raise BadInput(f"colour-grid:{ckpt}: give a number of cells from 1 to {SIZE}.")

    def img_encode(self, batch: torch.Tensor) -> EncodedImgBatch:
        """One vector a picture, and one a cell."""
        grid = self.cells(batch)
        return EncodedImgBatch(grid.flatten(1), grid.flatten(2).transpose(1, 2))

    def make_img_transform(self):
        """A PIL picture as a tensor [3, SIZE, SIZE]."""
        convert = [v2.ToImage(), v2.ToDtype(torch.float32, scale=True)]
        return v2.Compose([v2.Resize((SIZE, SIZE)), *convert])

    def data_config(self) -> dict[str, object]:
        """What the doctor holds the transform to."""
        return {"input_size": (3, SIZE, SIZE), "mean": (0.0,) * 3, "std": (1.0,) * 3}


register_vision_backbone("colour-grid", ColourGrid)
