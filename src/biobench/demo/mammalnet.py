"""MammalNet's layout: `annotation/`, and 32 frames of each clip in `frames/<clip>/`.

The published set (Chen et al., CVPR 2023) has 12 behaviours. Odd: a clip without frames, one with
too few, videos whose ids end like a clip's number, videos of one clip and of several.
"""

import dataclasses
import json
from collections.abc import Iterable, Iterator

from biobench.demo.shots import Animal, Shot, ShotLayout

__all__ = ["MammalNet"]

N_FRAMES = 32
POSES = ("graze", "run", "lie", "groom", "rear", "browse", "alert", "walk")
# Those of the demo's animals that have four legs.
BEASTS = (0, 1, 2, 3, 5, 6, 7, 8)


@dataclasses.dataclass(frozen=True)
class Part:
    """One clip of a full video."""

    name: str
    video: str
    split: str
    behaviour: int
    species: int
    n_frames: int = N_FRAMES


@dataclasses.dataclass(frozen=True)
class MammalNet(ShotLayout):
    """The whole layout."""

    folder: str = "mammalnet"
    batch = N_FRAMES

    def clips(self) -> Iterator[Part]:
        """Every second video has two clips; every third id ends in a number, as YouTube's may."""
        number = 0
        for split in ("train", "test"):
            total = self.scale.classes * (self.scale.train if split == "train" else self.scale.test)
            made = 0
            while made < total:
                several = number % 2 == 1 and made + 1 < total
                video = f"vid{number:03d}" + ("_2" if number % 3 == 0 else "x")
                for k in range(1 + several):
                    name = f"{video}_{k + 1}" if several else video
                    behaviour = made % self.scale.classes
                    yield Part(name, video, split, behaviour, (number * 5) % 8)
                    made += 1
                number += 1
        yield Part("gone", "gone", "test", 0, 0, n_frames=0)
        yield Part("brief", "brief", "train", 1, 0, n_frames=5)

    def counts(self) -> dict[str, int]:
        """Frames, clips and behaviours."""
        clips = list(self.clips())
        images = sum(clip.n_frames for clip in clips)
        return {"images": images, "clips": len(clips), "classes": self.scale.classes}

    def shots(self) -> Iterator[Shot]:
        """A picture for every eight frames: the film is drawn at a fraction of its rate."""
        for clip in self.clips():
            animal = Animal(
                self.seed, BEASTS[clip.species], POSES[clip.behaviour % len(POSES)], clip.video
            )
            for frame in range(clip.n_frames):
                path = f"frames/{clip.name}/frame_{frame + 1:02d}.jpg"
                yield Shot(path, animal, key=f"mammalnet/{clip.name}/{frame // 8}")

    def tables(self) -> Iterator[tuple[str, Iterable[str]]]:
        """The composition of both splits, and the parts of each video."""
        for split in ("train", "test"):
            yield (
                f"annotation/composition/{split}.csv",
                [
                    f"trimmed_videos/{clip.name}.mp4 {clip.behaviour} {clip.species}"
                    for clip in self.clips()
                    if clip.split == split
                ],
            )
        videos: dict[str, dict] = {}
        for clip in self.clips():
            entry = videos.setdefault(
                clip.video,
                {
                    "taxnomy": [{"node_name": "Mammalia", "parent_name": "Chordata"}],
                    "annotations": [],
                    "duration": 60,
                    "resolution": "320x240",
                    "fps": 30,
                    "subset": clip.split,
                    "url": f"https://videos.example/{clip.video}",
                },
            )
            start = 20 * len(entry["annotations"])
            entry["annotations"].append(
                {"label": POSES[clip.behaviour % len(POSES)], "segment": [start, start + 16]}
            )
        yield "annotation/detection_annotations.json", [json.dumps(videos)]
