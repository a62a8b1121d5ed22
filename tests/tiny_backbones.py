"""Backbones of a few thousand parameters, some of them badly behaved, and pictures for them."""

import os
import pathlib

import numpy as np
import torch
from PIL import Image
from torchvision import transforms

from biobench.interfaces import EncodedImgBatch, VisionBackbone


class TinyConv(VisionBackbone):
    """A network with everything that depends on batch-mates unless it is in eval mode.

    Its author left it in training mode. It counts the images that it was given.
    """

    size = 24
    dim = 16

    def __init__(self, ckpt: str = "0"):
        super().__init__()
        generator = torch.Generator().manual_seed(int(ckpt))
        self.net = torch.nn.Sequential(
            torch.nn.Conv2d(3, 8, 5, stride=2),
            torch.nn.BatchNorm2d(8),
            torch.nn.ReLU(),
            torch.nn.Dropout(0.5),
            torch.nn.AdaptiveAvgPool2d(4),
            torch.nn.Flatten(),
            torch.nn.Linear(128, self.dim),
        )
        for tensor in self.parameters():
            tensor.data = torch.randn(tensor.shape, generator=generator) / 4
        self.train()
        self.batches: list[int] = []

    def img_encode(self, batch):
        self.batches.append(len(batch))
        features = self.net(batch)
        self.train()
        return EncodedImgBatch(features, None)

    def make_img_transform(self):
        return transforms.Compose(
            [transforms.Resize((self.size, self.size)), transforms.ToTensor()]
        )


class OutOfMemoryAbove(TinyConv):
    """Pretends that at most `limit` images fit."""

    limit = 1

    def img_encode(self, batch):
        if len(batch) > self.limit:
            self.batches.append(-len(batch))
            raise torch.cuda.OutOfMemoryError(f"CUDA out of memory: batch of {len(batch)}")
        return super().img_encode(batch)


class MixesBatchMates(TinyConv):
    """Normalises over the batch, which eval mode does not stop."""

    def img_encode(self, batch):
        features = super().img_encode(batch).img_features
        if len(batch) > 1:
            features = features - features.mean(0, keepdim=True)
        return EncodedImgBatch(features, None)


class AlwaysRandom(TinyConv):
    """Drops out even in eval mode."""

    def img_encode(self, batch):
        features = super().img_encode(batch).img_features
        return EncodedImgBatch(torch.nn.functional.dropout(features, 0.5, training=True), None)


class NanOnDark(TinyConv):
    """Divides by the brightness."""

    def img_encode(self, batch):
        features = super().img_encode(batch).img_features
        brightness = batch.mean((1, 2, 3))[:, None]
        return EncodedImgBatch(features * (brightness / brightness), None)


class RefusesToBeWatched(TinyConv):
    """Fails under PyTorch's dispatch modes, as compiled networks do."""

    def img_encode(self, batch):
        if torch.utils._python_dispatch._get_current_dispatch_mode() is not None:
            raise RuntimeError("cannot run under a dispatch mode")
        return super().img_encode(batch)


class CropsWithoutResize(TinyConv):
    """Its transform fails on pictures smaller than its crop."""

    def make_img_transform(self):
        return lambda image: transforms.functional.to_tensor(image)[:, :20, :20].view(3, 20, 20)


class KillsItsWorker(TinyConv):
    """Its transform ends the process, if that is a decoding worker."""

    def make_img_transform(self):
        transform, pid = super().make_img_transform(), os.getpid()

        def kill_or_transform(image):
            if os.getpid() != pid:
                os._exit(1)
            return transform(image)

        return kill_or_transform


def write_pictures(folder: pathlib.Path, n: int, seed: int = 0) -> list[str]:
    """`n` different PNG files below `folder`, in two sub-folders; returns their names."""
    rng = np.random.default_rng(seed)
    names = []
    for number in range(n):
        name = f"{'ab'[number % 2]}/{seed}-{number:05d}.png"
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = rng.integers(0, 256, (20 + number % 5, 28, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(path)
        names.append(name)
    return names
