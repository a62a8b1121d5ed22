"""NeWT's layout: many small binary tasks in clusters, with as many pictures on either side.

The published counts (Van Horn et al., CVPR 2021): 164 tasks, about 36,000 pictures.
"""

import dataclasses
import itertools
from collections.abc import Iterable, Iterator

from biobench.demo.canvas import rng_for
from biobench.demo.layout import picture_id
from biobench.demo.newt_tasks import SIZES, TaskSpec, draw_example, task_specs
from biobench.demo.picture import encode

__all__ = ["FULL", "SMALL", "Newt", "NewtScale"]


@dataclasses.dataclass(frozen=True)
class NewtScale:
    """How many tasks, and pictures in each."""

    tasks: int
    train: int
    test: int


SMALL = NewtScale(tasks=16, train=20, test=26)
FULL = NewtScale(tasks=164, train=110, test=110)


@dataclasses.dataclass(frozen=True)
class Newt:
    """The whole layout."""

    scale: NewtScale
    seed: int
    folder: str = "newt"

    def counts(self) -> dict[str, int]:
        """Pictures by split, and tasks."""
        s = self.scale
        train, test = s.tasks * s.train, s.tasks * s.test
        return {"images": train + test, "tasks": s.tasks, "train": train, "test": test}

    def pictures(self) -> Iterator[tuple[TaskSpec, str, int, int]]:
        """Task, split, label and number of every picture."""
        for spec in task_specs(self.seed, self.scale.tasks):
            for split in ("train", "test"):
                for index in range(getattr(self.scale, split)):
                    yield spec, split, index % 2, index

    def tables(self) -> Iterator[tuple[str, Iterable[str]]]:
        """The labels."""
        yield "newt2021_labels.csv", self._labels()

    def units(self) -> Iterator["NewtUnit"]:
        """Some pictures of one task at a time."""
        pictures = self.pictures()
        while batch := tuple(itertools.islice(pictures, 30)):
            yield NewtUnit(self, batch)

    def image_id(self, spec: TaskSpec, split: str, index: int) -> str:
        """A picture's id, which is also its file's name."""
        return picture_id(self.seed, "newt", spec.name, split, index)

    def _labels(self) -> Iterator[str]:
        yield "id,task_cluster,task_subcluster,task,label,text_label,split,height,width"
        for spec, split, label, index in self.pictures():
            height, width = _size(index)
            row = (
                self.image_id(spec, split, index), spec.cluster, spec.subcluster, spec.name, label,
                spec.texts[label], split, height, width,
            )  # fmt: skip
            yield ",".join(map(str, row))


@dataclasses.dataclass(frozen=True)
class NewtUnit:
    """A batch of pictures."""

    layout: Newt
    pictures: tuple[tuple[TaskSpec, str, int, int], ...]

    def draw(self) -> Iterator[tuple[str, bytes]]:
        """One photograph each."""
        for spec, split, label, index in self.pictures:
            rng = rng_for(self.layout.seed, "newt", spec.name, split, index)
            image = draw_example(spec, label, _size(index), self.layout.seed, rng)
            yield f"newt2021_images/{self.layout.image_id(spec, split, index)}.jpg", encode(image)


def _size(index: int) -> tuple[int, int]:
    # Labels alternate, so sizes change every second picture: a size must not tell the label.
    return SIZES[index // 2 % len(SIZES)]
