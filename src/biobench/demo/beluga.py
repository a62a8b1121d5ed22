"""Beluga's layout: COCO JSON, one annotation a picture, the individual in its name.

The published counts (Beluga ID 2022): 5,902 photographs of 788 individuals. Odd: unknown
individuals, an individual that was seen once, a picture without an annotation, one with two, one
without a date.
"""

import dataclasses
import json
from collections.abc import Iterable, Iterator

from biobench.demo.shots import Animal, Shot, ShotLayout

__all__ = ["Beluga"]

# A fish, seen from the side; no whale swims in this world.
_SPECIES = 84


@dataclasses.dataclass(frozen=True)
class Sighting:
    """One picture."""

    number: int
    name: str
    date: str

    @property
    def file(self) -> str:
        """The file's name."""
        return f"{self.number:012d}.jpg"


@dataclasses.dataclass(frozen=True)
class Beluga(ShotLayout):
    """The whole layout."""

    folder: str = "beluga"

    def sightings(self) -> Iterator[Sighting]:
        """Two individuals a class; each seen on two days, but the first on one."""
        number = 1
        for individual in range(2 * self.scale.classes):
            n = 3 + individual % 3
            for index in range(n):
                day = 1 if individual == 0 else 1 + (individual + index // 2) % 3
                date = (
                    "" if (individual, index) == (1, 0) else f"2018-07-{day:02d} 10:{index:02d}:00"
                )
                yield Sighting(number, f"whale {individual:03d}", date)
                number += 1
        yield Sighting(number, "seen once", "2018-07-01 09:00:00")
        for i in range(2):
            yield Sighting(number + 1 + i, "____", "2018-07-02 09:00:00")
        yield Sighting(number + 3, "", "2018-07-02 09:30:00")
        yield Sighting(number + 4, "whale 000 and 001", "2018-07-02 09:40:00")

    def counts(self) -> dict[str, int]:
        """Pictures and individuals that were seen more than once."""
        images = sum(1 for _ in self.sightings())
        return {"images": images, "individuals": 2 * self.scale.classes}

    def shots(self) -> Iterator[Shot]:
        """Individuals of one species, each with its own coat."""
        for one in self.sightings():
            whale = Animal(self.seed, _SPECIES, individual=one.name or "nameless")
            yield Shot(f"beluga.coco/images/train2022/{one.file}", whale)

    def tables(self) -> Iterator[tuple[str, Iterable[str]]]:
        """The annotations."""
        images, annotations = [], []
        for one in self.sightings():
            images.append(
                {
                    "id": one.number,
                    "file_name": one.file,
                    "height": 128,
                    "width": 128,
                    "date_captured": one.date or None,
                }
            )
            names = {"": [], "whale 000 and 001": ["whale 000", "whale 001"]}
            for name in names.get(one.name, [one.name]):
                annotations.append(
                    {
                        "id": len(annotations) + 1,
                        "image_id": one.number,
                        "category_id": 1,
                        "bbox": [0, 0, 128, 128],
                        "viewpoint": "up",
                        "name": name,
                    }
                )
        coco = {
            "info": {"year": 2022},
            "categories": [{"id": 1, "name": "beluga_whale"}],
            "images": images,
            "annotations": annotations,
        }
        yield "beluga.coco/annotations/instances_train2022.json", [json.dumps(coco)]
