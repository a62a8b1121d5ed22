"""`biobench demo`: the whole way from pictures to a leaderboard, without downloading anything."""

import dataclasses
from pathlib import Path
from typing import Literal

__all__ = ["Demo"]

MODELS = [
    "timm:tf_efficientnet_lite0",
    "baseline:color-hog",
    "baseline:color-hist",
    "baseline:random-vit",
]


@dataclasses.dataclass(frozen=True)
class Demo:
    """Generate a world, run the tasks on it with four backbones, show the leaderboard.

    One of the backbones is pretrained, three are floors. Running it again reuses what is there.
    """

    out: Path = Path("demo")
    """where data, results and the page go."""
    tasks: Literal["core", "all"] = "core"
    """core is newt, kabr, iwildcam and plantnet; all adds a small world of each other task."""
    size: Literal["small", "full"] = "small"
    """full draws the core tasks with the published counts, for tests of scale."""
    seed: int = 0
    """of the world; the same seed draws the same bytes."""
    device: str = "auto"
    """auto, cpu, cuda or cuda:N."""
    jobs: int = 2
    """cells that run at once."""

    def main(self) -> int:
        from biobench import demo, launch, progress, report
        from biobench.commands.printing import make_console
        from biobench.errors import require_extra
        from biobench.launch import showing
        from biobench.screen import say

        # Before a world is drawn and its features are computed.
        require_extra("demo", "scikit-image", "biobench demo", module="skimage")
        require_extra("demo", "jinja2", "biobench demo")
        data, results, site = self.out / "data", self.out / "results", self.out / "site"
        say(f"drawing a world into {data}")
        with progress.listen(_print_quarters):
            world = demo.generate(data, size=self.size, seed=self.seed, tasks=self.tasks)
        for task, counts in world.counts.items():
            say(f"{task}: " + ", ".join(f"{n:,} {what}" for what, n in counts.items()))
        settings = launch.load(
            models=MODELS,
            tasks=list(world.counts),
            data=str(data),
            results=str(results),
            device=self.device,
            jobs=self.jobs,
        )
        plan = launch.make_plan(settings)
        checked = launch.check(plan)
        states = launch.run(plan, jobs=settings.jobs, checked=checked)
        say(showing.summarise(plan, states))
        console = make_console()
        console.print(report.render(report.leaderboard(results), console.width))
        page = report.write_site(results, site)
        say(f"The same as a page: {page}")
        return int(any(state.state == "failed" for state in states))


def _print_quarters(stage: str, done: int, total: int) -> None:
    from biobench.screen import say

    if done and done * 4 // total > (done - 1) * 4 // total:
        say(f"{stage} {done:,} of {total:,}")
