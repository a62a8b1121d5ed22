"""A generated world of organisms, in the published layouts of the four core tasks.

    from biobench.demo import generate
    world = generate(Path("demo-data"), size="small", seed=0)

Nothing is downloaded: numpy and Pillow draw every picture. See docs/demo.md.
"""

from biobench.demo.world import Scale, World, generate, layouts, scale_of

__all__ = ["Scale", "World", "generate", "layouts", "scale_of"]
