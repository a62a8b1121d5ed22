"""A generated world of organisms, in the published layouts of the tasks.

    from biobench.demo import generate
    world = generate(Path("demo-data"), size="small", seed=0)       # the four core tasks
    world = generate(Path("demo-data"), seed=0, tasks="all")        # and those of the wider suite

Nothing is downloaded: numpy and Pillow draw every picture. See docs/demo.md.
"""

from biobench.demo.shots import SuiteScale
from biobench.demo.world import Scale, World, generate, generate_suite, layouts, scale_of

__all__ = [
    "Scale",
    "SuiteScale",
    "World",
    "generate",
    "generate_suite",
    "layouts",
    "scale_of",
]
