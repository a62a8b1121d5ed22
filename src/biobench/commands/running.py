"""`biobench run`, `status`, `cancel` and `reproduce`."""

import dataclasses
from pathlib import Path
from typing import Annotated, Literal

import tyro

from biobench.args import PictureArgs
from biobench.commands import flags
from biobench.commands.explaining import Imports
from biobench.launch import config

__all__ = ["Cancel", "Reproduce", "Run", "Status"]

Config = Annotated[Path | None, tyro.conf.arg(metavar="[CONFIG.toml]", help_behavior_hint="")]
Name = Annotated[str | None, tyro.conf.arg(metavar="NAME", help_behavior_hint="")]


@dataclasses.dataclass(frozen=True)
@flags.take(config.Settings, PictureArgs, after="config")
class Run:
    """Benchmark models on tasks: flags, or a TOML file with a grid (docs/config.md).

    Cells that are finished are not run again; the same command goes on where it was stopped.
    """

    config: tyro.conf.Positional[Config] = None
    """TOML file; flags override it."""
    name: Name = None
    """NAME of --features (default: the file's stem)."""
    dry_run: bool = False
    """print the plan with its counts of pictures, and run nothing; with --slurm the batch scripts,
    too."""
    force: bool = False
    """run finished cells again, from the features that are there."""
    slurm: bool = False
    """submit the cells to a Slurm cluster, as [slurm] in the config file says, and return; the
    device need not be on this machine."""

    def main(self) -> int:
        from biobench import launch
        from biobench.commands import after
        from biobench.launch import showing
        from biobench.screen import say

        settings = self._load()
        plan = launch.make_plan(settings, force=self.force)
        checked = launch.check(plan, device=not self.slurm)
        _print_data(plan, checked)
        if self.dry_run:
            _print_plan(plan, checked)
            if self.slurm:
                _print_scripts(plan, checked, settings.slurm)
            return 0
        if self.slurm:
            _submit(plan, checked, settings.slurm)
            return 0
        try:
            states = launch.run(plan, jobs=settings.jobs, checked=checked)
        except KeyboardInterrupt:
            _print_stopped(plan)
            return 130
        after.print_after(plan, states)
        say(showing.summarise(plan, states))
        return int(any(state.state == "failed" for state in states))

    def _load(self):
        from biobench.errors import BadInput

        given = flags.read(self, config.Settings)
        file = given.get("features")
        if self.name is not None and file is None:
            raise BadInput("--name names the vectors of --features; give that file, too.")
        if file is not None:
            given["features"] = {self.name or Path(file).stem: file}
        args = flags.read(self, PictureArgs)
        settings = config.load(self.config, **given, args=args)
        if settings.jobs < 1:
            raise BadInput(f"--jobs is {settings.jobs}, but must be at least 1.")
        return settings


@dataclasses.dataclass(frozen=True)
class Status:
    """The cells of a plan: waiting, queued, running, done, failed; from files alone."""

    results: Path = Path("results")
    """the results folder that was given to run."""
    plan: str = ""
    """the plan's id, or its beginning (default: the plan that was started last)."""
    format: Literal["table", "json"] = "table"
    """how to print it."""

    def main(self) -> int:
        from biobench import clean
        from biobench.launch.states import status
        from biobench.screen import say

        rows = status.read_status(_find_plan(self.results, self.plan))
        if self.format == "json":
            say(clean.to_json([_to_dict(cell, state) for cell, state in rows], indent=1))
            return 0
        width = max(len(cell.label) for cell, _ in rows) + 2
        for cell, state in rows:
            say(f"{cell.label:<{width}}{status.describe(state)}")
        failed = [(cell, state) for cell, state in rows if state.state == "failed"]
        counts = status.count([state for _, state in rows])
        say(
            f"{len(rows)} cell{'s' * (len(rows) != 1)}: "
            + ", ".join(f"{n} {name}" for name, n in counts.items())
        )
        for cell, state in failed:
            say(f"  {cell.label}: read {clean.line(str(self.results / state.log))}")
        return 0


@dataclasses.dataclass(frozen=True)
class Cancel:
    """Cancel a plan's jobs on Slurm; what is finished and what was embedded stays."""

    results: Path = Path("results")
    """the results folder that was given to run."""
    plan: str = ""
    """the plan's id, or its beginning (default: the plan that was started last)."""

    def main(self) -> int:
        from biobench.launch import slurm
        from biobench.launch.plan import Plan
        from biobench.screen import say

        jobs = slurm.cancel(Plan.read(_find_plan(self.results, self.plan)))
        say(f"Cancelled {len(jobs)} jobs; biobench run --slurm with the same plan goes on.")
        return 0


@dataclasses.dataclass(frozen=True)
class Reproduce:
    """Print the command that makes a run again; --check runs it and compares."""

    run: tyro.conf.Positional[Annotated[Path, tyro.conf.arg(metavar="RUN")]]
    """the run's folder: RESULTS/TASK/MODEL/RUN."""
    check: bool = False
    """run the command, apart from these results; exit code 1 unless all predictions are equal."""
    anew: bool = False
    """with --check, embed every picture again, apart from the cache, which stays as it is."""
    trust: bool = False
    """with --check, execute the code that the run names though it was not made in this results
    folder: read first what is printed without --check."""
    imports: Imports = ()
    """modules or .py files with the run's own tasks, backbones, probes and metrics, in the place of
    those that it names: where they have moved, or where yours are to be trusted."""

    def main(self) -> int:
        from biobench import clean, results
        from biobench.launch import reproduce
        from biobench.screen import say

        report = reproduce.replace_imports(results.read_report(self.run), self.imports)
        text = reproduce.reproduce_config(report)
        if text is not None:
            say(f"cat > {reproduce.CONFIG} <<'END'\n{text}END")
        say(clean.shell(reproduce.reproduce_command(report)))
        if not self.check:
            return 0
        from biobench.errors import CellFailed

        if not self.trust:
            reproduce.require_trust(self.run, imports=self.imports)
        try:
            difference = reproduce.check(self.run, anew=self.anew, imports=self.imports)
        except CellFailed as err:
            say(f"biobench: {clean.sentence(str(err))}", error=True)
            return 1
        say(
            clean.sentence(difference)
            or f"Reproduced: score and {report['n']:,} predictions are equal."
        )
        return int(bool(difference))


def _find_plan(results: Path, id: str) -> Path:
    from biobench.errors import BadInput
    from biobench.launch.states.state import list_plans

    plans = list_plans(results.absolute())
    found = [plan for plan in plans if plan.name.startswith(id)]
    if not found:
        known = ", ".join(plan.name for plan in plans) or "none"
        which = f"plan {id}" if id else "plan"
        raise BadInput(
            f"There is no {which} in {results} (plans: {known}); name the folder given to run "
            "with --results."
        )
    return found[0]


def _to_dict(cell, state) -> dict[str, object]:
    return {
        "task": cell.task,
        "model": cell.model_name,
        "args": cell.args,
        **dataclasses.asdict(state),
    }


def _submit(plan, checked, settings) -> None:
    from biobench import clean
    from biobench.launch import slurm
    from biobench.screen import say

    _say_where_jobs_run(plan, settings)
    done = slurm.submit(plan, checked, settings)
    say(
        f"Submitted {done.submitted} cells in {len(done.jobs)} jobs; {done.queued} are queued or "
        f"running already, {done.finished} finished."
    )
    words = ["biobench", "status", "--results", str(plan.results), "--plan", plan.id]
    say(f"See how they go: {clean.shell(words)}")


def _print_scripts(plan, checked, settings) -> None:
    from biobench.launch import slurm
    from biobench.screen import say

    _say_where_jobs_run(plan, settings)
    scripts = slurm.preview(plan, checked, settings)
    for number, script in enumerate(scripts, 1):
        say(f"\n--- batch script {number} of {len(scripts)}: {script.title}\n{script.text}")
    say("Nothing was submitted; without --dry-run it is.")


def _say_where_jobs_run(plan, settings) -> None:
    from biobench.launch import slurm
    from biobench.screen import say

    if plan.device.startswith("cuda") and not slurm.asks_for_gpu(settings):
        say(
            f"note: the device is {plan.device}, but [slurm] asks for no GPU: unless the partition "
            "gives one unasked, set gpus = 1 there, or the jobs will find none."
        )


def _print_data(plan, checked) -> None:
    """What each task's data is, once: pictures, classes, and every kind of file left out."""
    from biobench import clean
    from biobench.screen import say

    found: dict[str, dict[str, None]] = {}
    notes: dict[str, dict[str, None]] = {}
    for cell in plan.cells:
        here = checked[cell.id]
        # Training sizes of one task use other pictures each.
        found.setdefault(cell.task, {})[here.found] = None
        notes.setdefault(cell.task, {}).update(dict.fromkeys(here.notes))
    for task, lines in found.items():
        for line in lines:
            say(f"{clean.line(task)}: {clean.sentence(line)}")
        for note in notes[task]:
            say(f"  note: {clean.sentence(note)}")


def _print_plan(plan, checked) -> None:
    from biobench import clean, launch
    from biobench.screen import say

    finished = launch.find_finished(plan, checked)
    width = max(len(cell.label) for cell in plan.cells) + 2
    for cell in plan.cells:
        here = checked[cell.id]
        splits = ", ".join(f"{split} {n:,}" for split, n in here.by_split.items())
        note = f"  finished: {finished[cell.id]}" if cell.id in finished else ""
        found = clean.line(f"{here.n_images:>9,} images ({splits}){note}")
        say(f"{cell.label:<{width}}{found}")
    n_passes = sum({cell.feature_key: checked[cell.id].n_images for cell in plan.cells}.values())
    say(
        f"{len(plan.cells)} cells, {len(finished)} finished; at most {n_passes:,} images to embed; "
        f"plan {plan.id}"
    )


def _print_stopped(plan) -> None:
    from biobench import launch
    from biobench.screen import say

    done = sum(state.state == "done" for state in launch.read_states(plan.folder))
    say(
        f"Stopped: {done} of {len(plan.cells)} cells are done. "
        "The same command goes on from here; features embedded so far are kept."
    )
