"""Made-up populations with the shape of real tasks, for benchmarks/coverage.py.

Sizes are the tasks' own, but for iWildCam's: 6,000 pictures rather than 42,791, as only the number
of cameras matters much, which one regime with 40,000 shows.
"""

import dataclasses
import functools

import numpy as np
from scipy import special

__all__ = ["TASKS", "Cameras", "Strata"]

Sample = tuple[np.ndarray, np.ndarray, np.ndarray]


@dataclasses.dataclass(frozen=True)
class Cameras:
    """Groups of log-normal size, each with its own mixture of classes, photographed in bursts.

    The pictures of a burst have one truth and one wrong guess; a camera, and a class at a camera,
    have effects of their own on the accuracy, and a camera has a class that it mistakes others for.
    """

    name: str
    groups: int = 48
    classes: int = 90
    n: int = 6000
    zipf: float = 1.2
    common: float = 0.4
    """frequency of one class (empty pictures) beyond the Zipf law's."""
    breadth: float = 4.0
    """of a camera's mixture, a Dirichlet draw of that total; 0: one class a group."""
    unevenness: float = 1.2
    """standard deviation of the logarithm of the groups' sizes."""
    accuracy: float = 0.6
    of_class: float = 1.0
    of_group: float = 0.7
    of_both: float = 1.0
    of_burst: float = 1.0
    """standard deviations of the effects on the logit of the accuracy."""
    burst: float = 4.0
    """pictures a burst on average."""
    mistaken: float = 0.5
    """share of the wrong guesses that are of the camera's own class."""

    @functools.cached_property
    def frequency(self) -> np.ndarray:
        """Of each class."""
        law = np.arange(1, self.classes + 1) ** -self.zipf
        law *= (1 - self.common) / law.sum()
        law[0] += self.common
        return law

    @functools.cached_property
    def skill(self) -> np.ndarray:
        """The logit of each class's accuracy."""
        effect = np.random.default_rng(0).normal(0, self.of_class, self.classes)
        return special.logit(self.accuracy) + effect

    def draw(self, rng: np.random.Generator) -> Sample:
        """Group, truth and prediction of each example of one test set."""
        mean = np.exp(rng.normal(-(self.unevenness**2) / 2, self.unevenness, self.groups))
        n_bursts = 1 + rng.poisson(mean * self.n / self.burst / self.groups)
        group = np.repeat(np.arange(self.groups), n_bursts)
        true = self._truths(group, rng)
        logit = self.skill[true] + rng.normal(0, self.of_group, self.groups)[group]
        if self.of_both:
            logit += rng.normal(0, self.of_both, (self.groups, self.classes))[group, true]
        logit += rng.normal(0, self.of_burst, len(group))
        own = rng.choice(self.classes, self.groups, p=self.frequency)
        guess = rng.choice(self.classes, len(group), p=self.frequency)
        guess = np.where(rng.random(len(group)) < self.mistaken, own[group], guess)
        guess = np.where(guess == true, (guess + 1) % self.classes, guess)
        length = rng.geometric(1 / self.burst, len(group))
        group, true, guess, logit = (np.repeat(x, length) for x in (group, true, guess, logit))
        right = rng.random(len(true)) < special.expit(logit)
        return group, true, np.where(right, true, guess)

    def _truths(self, group: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        if not self.breadth:
            return rng.choice(self.classes, self.groups, p=self.frequency)[group]
        mixture = rng.gamma(self.breadth * self.frequency, size=(self.groups, self.classes))
        reached = np.cumsum(mixture, axis=1)
        at = rng.random(len(group)) * reached[group, -1]
        return np.minimum((reached[group] < at[:, None]).sum(axis=1), self.classes - 1)


@dataclasses.dataclass(frozen=True)
class Strata:
    """As many examples of every class in each test set: a folder split by class, or NeWT.

    A wrong guess is of another class of the same `question`, of that many classes.
    """

    name: str
    classes: int
    per_class: int
    accuracy: float
    question: int
    of_class: float = 1.0
    groups: int = 0

    @functools.cached_property
    def n(self) -> int:
        """Examples of a test set."""
        return self.classes * self.per_class

    @functools.cached_property
    def rate(self) -> np.ndarray:
        """Each class's accuracy."""
        effect = np.random.default_rng(0).normal(0, self.of_class, self.classes)
        return special.expit(special.logit(self.accuracy) + effect)

    def draw(self, rng: np.random.Generator) -> Sample:
        """Group (each example is its own), truth and prediction of each example of one test set."""
        true = np.repeat(np.arange(self.classes), self.per_class)
        first = true - true % self.question
        other = (true - first + rng.integers(1, self.question, len(true))) % self.question
        right = rng.random(len(true)) < self.rate[true]
        return np.arange(len(true)), true, np.where(right, true, first + other)


TASKS = (
    Cameras("iWildCam"),
    Cameras("iWildCam, 40,000 pictures", n=40_000),
    Cameras("iWildCam, local species", breadth=2.0),
    Cameras("iWildCam, widespread species", breadth=8.0),
    Cameras("iWildCam, very uneven cameras", unevenness=1.6),
    Cameras("iWildCam, even cameras", unevenness=0.6),
    Cameras("iWildCam, 150 cameras", groups=150, n=9000),
    Cameras("iWildCam, 400 cameras", groups=400, n=12_000),
    Cameras("iWildCam, accuracy 0.85", accuracy=0.85),
    Cameras("iWildCam, larger effects", of_group=1.2, of_both=1.5, mistaken=0.8),
    Cameras("iWildCam, no effects", of_group=0.0, of_both=0.0, of_burst=0.0, mistaken=0.0),
    Cameras("KABR, 15 videos", groups=15, classes=8, n=1100, unevenness=0.8, burst=6.0, common=0.3),
    Cameras("KABR, 40 videos", groups=40, classes=8, n=1100, unevenness=0.8, burst=6.0, common=0.3),
    Cameras(
        "FungiCLEF, observations",
        groups=2000,
        classes=500,
        n=5000,
        breadth=0.0,
        common=0.0,
        unevenness=0.5,
        of_both=0.0,
        burst=1.5,
    ),
    Strata("NeWT, 164 questions", classes=328, per_class=50, accuracy=0.8, question=2),
    Strata("NeWT, one question", classes=2, per_class=100, accuracy=0.9, question=2),
    Strata("folder of 30 in 5, accuracy 0.5", classes=5, per_class=6, accuracy=0.5, question=5),
    Strata("folder of 30 in 5, accuracy 0.8", classes=5, per_class=6, accuracy=0.8, question=5),
    Strata("folder of 30 in 5, accuracy 0.95", classes=5, per_class=6, accuracy=0.95, question=5),
    Strata("folder of 100 in 5", classes=5, per_class=20, accuracy=0.95, question=5),
    Strata("folder of 500 in 50", classes=50, per_class=10, accuracy=0.9, question=50),
)
