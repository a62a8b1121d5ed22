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
    """fake:SEED, or fake:SEED/TRICK with raise, segfault, rename-once, hungry, deaf or hold.

    rename-once is killed (-9) when its run is written and only has to be renamed.

    hold waits until there is a file release-SEED in FAKES_FOLDER; deaf does so too, and ignores the
    signal with which Slurm announces the end of a job's time; hungry does so holding 1.6 GB.
    """

    def __init__(self, ckpt: str) -> None:
        super().__init__()
        self.n_calls = 0
        self.seed, _, self.trick = ckpt.partition("/")
        generator = torch.Generator().manual_seed(int(self.seed))
        self.weight = torch.nn.Parameter(torch.randn(3 * SIDE * SIDE, 16, generator=generator))

    @classmethod
    def check_ckpt(cls, ckpt: str) -> None:
        if not ckpt.partition("/")[0].isdigit():
            raise ValueError(f"fake has no checkpoint '{ckpt}'; give a number.")

    def make_img_transform(self):
        return to_tensor

    def img_encode(self, batch) -> EncodedImgBatch:
        # The first batches may be made up, to see what kind of network it is.
        self.n_calls += 1
        if self.n_calls > 6:
            self._play()
        return EncodedImgBatch(batch.flatten(1) @ self.weight, None)

    def _play(self) -> None:
        if self.trick == "raise":
            raise RuntimeError("the fake network broke")
        if self.trick == "deaf":
            signal.signal(signal.SIGUSR2, signal.SIG_IGN)
        if self.trick == "hungry":
            self.hoard = np.ones(1600 << 17)
        if self.trick in ("hold", "deaf", "hungry"):
            while not (get_folder() / f"release-{self.seed}").exists():
                time.sleep(0.1)
        if self.trick == "segfault":
            os.kill(os.getpid(), signal.SIGSEGV)
        if self.trick == "rename-once" and self._is_first():
            os.rename = rename_or_die

    def _is_first(self) -> bool:
        try:
            (get_folder() / self.trick).touch(exist_ok=False)
        except FileExistsError:
            return False
        return True


def rename_or_die(source, target):
    if (pathlib.Path(source) / "report.json").exists():
        os.kill(os.getpid(), signal.SIGKILL)
    os.replace(source, target)


def get_folder() -> pathlib.Path:
    return pathlib.Path(os.environ["FAKES_FOLDER"])


def to_tensor(image):
    pixels = np.asarray(image.convert("RGB").resize((SIDE, SIDE)), dtype=np.float32) / 255
    return torch.from_numpy(pixels).permute(2, 0, 1)


register_vision_backbone("fake", Fake)
