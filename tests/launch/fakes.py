"""Backbones that behave and misbehave on purpose; a config names this module in `imports`.

fake:SEED is a frozen random projection of tiny pictures. What else a name holds happens while
pictures are embedded; what ends in "-once" leaves a file in the folder FAKES_FOLDER (a variable of
the environment) and happens only where there is none.
"""

import os
import pathlib
import signal
import time

import numpy as np
import torch

from biobench.interfaces import EncodedImgBatch, VisionBackbone
from biobench.registry import register_vision_backbone

SIDE = 8


class Fake(VisionBackbone):
    """fake:SEED, fake:SEED/raise, /segfault-once, /segfault, /kill-once, /slow, /hungry."""

    def __init__(self, ckpt: str) -> None:
        super().__init__()
        seed, _, self.trick = ckpt.partition("/")
        generator = torch.Generator().manual_seed(int(seed))
        self.weight = torch.nn.Parameter(torch.randn(3 * SIDE * SIDE, 16, generator=generator))

    @classmethod
    def check_ckpt(cls, ckpt: str) -> None:
        if not ckpt.partition("/")[0].isdigit():
            raise ValueError(f"fake has no checkpoint '{ckpt}'; give a number.")

    def make_img_transform(self):
        return to_tensor

    def img_encode(self, batch) -> EncodedImgBatch:
        self._play()
        return EncodedImgBatch(batch.flatten(1) @ self.weight, None)

    def _play(self) -> None:
        if self.trick == "raise":
            raise RuntimeError("the fake network broke")
        if self.trick == "slow":
            time.sleep(0.2)
        if self.trick == "hungry":
            self.hoard = np.ones(600 << 17)
        if self.trick == "segfault" or (self.trick == "segfault-once" and self._is_first()):
            os.kill(os.getpid(), signal.SIGSEGV)
        if self.trick == "kill-once" and self._is_first():
            os.kill(os.getpid(), signal.SIGKILL)

    def _is_first(self) -> bool:
        try:
            (pathlib.Path(os.environ["FAKES_FOLDER"]) / self.trick).touch(exist_ok=False)
        except FileExistsError:
            return False
        return True


def to_tensor(image):
    pixels = np.asarray(image.convert("RGB").resize((SIDE, SIDE)), dtype=np.float32) / 255
    return torch.from_numpy(pixels).permute(2, 0, 1)


register_vision_backbone("fake", Fake)
