"""`biobench run`, `status`, `cancel` and `reproduce`."""

import dataclasses
from pathlib import Path
from typing import Annotated, Literal

import tyro

from biobench import registry
from biobench.commands.explaining import METRICS, PROBES, Known

__all__ = ["Cancel", "Reproduce", "Run", "Status"]

Names = Annotated[tuple[str, ...], tyro.conf.arg(metavar="NAME…", help_behavior_hint="")]
Models = Annotated[tuple[str, ...], tyro.conf.arg(metavar="ORG:CKPT…", help_behavior_hint="")]
Columns = Annotated[tuple[str, ...], tyro.conf.arg(metavar="ROLE=NAME…", help_behavior_hint="")]
Numbers = Annotated[tuple[int, ...], tyro.conf.arg(metavar="N…", help_behavior_hint="")]
Folder = Annotated[Path | None, tyro.conf.arg(metavar="DIR", help_behavior_hint="")]
File = Annotated[Path | None, tyro.conf.arg(metavar="FILE", help_behavior_hint="")]
Config = Annotated[Path | None, tyro.conf.arg(metavar="[CONFIG.toml]", help_behavior_hint="")]
Tasks = Annotated[Names, Known(registry.list_tasks, "; biobench tasks says what they are")]
Probe = Annotated[str | None, tyro.conf.arg(metavar="NAME"), Known(lambda: PROBES)]
Metrics = Annotated[Names, Known(lambda: METRICS)]
Text = Annotated[str | None, tyro.conf.arg(metavar="NAME", help_behavior_hint="")]
Count = Annotated[int | None, tyro.conf.arg(metavar="N", help_behavior_hint="")]


@dataclasses.dataclass(frozen=True)
class Run:
    """Benchmark models on tasks: flags, or a TOML file with a grid (docs/config.md).

    Cells that are finished are not run again; the same command goes on where it was stopped.
    """

    config: tyro.conf.Positional[Config] = None
    """TOML file; flags override it."""
    tasks: Tasks = ()
    """tasks to run; of a config file with tables of tasks, those to pick."""
    models: Models = ()
    """models as ORG:CKPT; biobench models lists the ORGs."""
    data: Folder = None
    """folder with one folder a task; for the task folder also the pictures themselves."""
    results: Folder = None
    """where results are kept (default: results)."""
    device: Text = None
    """auto, cpu, cuda or cuda:N (default: auto)."""
    n_train: Numbers = ()
    """training examples; several make the grid larger; -1 is all."""
    n_train_unit: Literal["class", "total"] | None = None
    """whether n_train counts per class or over all classes."""
    seeds: Numbers = ()
    """seeds; several make the grid larger."""
    probe: Probe = None
    """the probe to fit instead of each task's own."""
    root: Folder = None
    """task folder: where the paths of a table start (default: the table's folder)."""
    columns: Columns = ()
    """task folder: what a table's columns are called, as path=File label=Species."""
    skip_missing: bool = False
    """task folder: leave out pictures of a table that are not there."""
    folds_test: Count = None
    """for the task folder: test every picture once, in so many folds, whole groups together."""
    folds: Literal["stratified-shuffle", "kfold", "group"] | None = None
    """cross-validation folds of probes that choose a penalty; group keeps groups (cameras, videos)
    whole."""
    metrics: Metrics = ()
    """metrics to report beside each task's own (docs/metrics.md)."""
    batch_size: int | Literal["auto"] | None = None
    """images (kabr: clips) in a forward pass instead of each task's own."""
    n_workers: Count = None
    """processes that decode pictures; 0 decodes in the cell's own."""
    precision: Literal["auto", "fp32", "fp16", "bf16"] | None = None
    """arithmetic of the backbone."""
    exif: bool = False
    """rotate pictures as their EXIF tag says; the published protocols do not."""
    compile: bool = False
    """compile the backbone."""
    features: File = None
    """Parquet file of vectors computed elsewhere, run as the model features:NAME."""
    name: Text = None
    """NAME of --features (default: the file's stem)."""
    imports: Names = ()
    """modules or .py files to import first: they register backbones and tasks of your own."""
    jobs: Count = None
    """cells that run at once (default: 1)."""
    dry_run: bool = False
    """print the plan with its counts of pictures, and run nothing; with --slurm the batch scripts,
    too."""
    resume: bool = True
    """--no-resume: run finished cells again and embed anew."""
    force: bool = False
    """run finished cells again, from the features that are there."""
    debug: bool = False
    """a few pictures only, to see that everything runs."""
    slurm: bool = False
    """submit the cells to a Slurm cluster, as [slurm] in the config file says, and return; the
    device need not be on this machine."""

    def main(self) -> int:
        from biobench import launch
        from biobench.commands import after
        from biobench.launch import display
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
            states = launch.run(plan, jobs=settings.jobs)
        except KeyboardInterrupt:
            _print_stopped(plan)
            return 130
        after.print_after(plan, states)
        say(display.summarise(plan, states))
        return int(any(state.state == "failed" for state in states))

    def _load(self):
        from biobench.errors import BadInput
        from biobench.launch import config

        flags = {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(config.Settings)
            if hasattr(self, field.name) and field.name not in ("features", "slurm")
        }
        # What was not given leaves what the file says.
        flags = {
            name: (list(value) or None) if isinstance(value, tuple) else value
            for name, value in flags.items()
        }
        flags.update(resume=None if self.resume else False, debug=self.debug or None)
        for name in ("data", "results"):
            flags[name] = None if flags[name] is None else str(flags[name])
        if self.name is not None and self.features is None:
            raise BadInput("--name names the vectors of --features; give that file, too.")
        if self.features is not None:
            flags["features"] = {self.name or self.features.stem: str(self.features)}
        names = ("n_train_unit", "probe", "folds", "batch_size", "n_workers", "precision")
        names += ("folds_test",)
        args = {name: getattr(self, name) for name in names}
        args = {name: value for name, value in args.items() if value is not None}
        if self.metrics:
            args["metrics"] = list(self.metrics)
        switches = ("exif", "compile", "skip_missing")
        args.update((name, True) for name in switches if getattr(self, name))
        if self.root is not None:
            args["root"] = str(self.root.absolute())
        if self.columns:
            args["columns"] = list(self.columns)
        settings = config.load(self.config, **flags, args=args)
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

    def main(self) -> int:
        from biobench import clean, results
        from biobench.screen import say

        report = results.read_report(self.run)
        config = results.reproduce_config(report)
        if config is not None:
            say(f"cat > reproduce.toml <<'END'\n{config}END")
        say(clean.shell(results.reproduce_command(report)))
        if not self.check:
            return 0
        from biobench.errors import CellFailed
        from biobench.launch import reproduce

        if not self.trust:
            reproduce.require_trust(self.run)
        try:
            difference = reproduce.check(self.run, anew=self.anew)
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
