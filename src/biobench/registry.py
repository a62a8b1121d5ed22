"""Finds things by name: biobench's own, those a program registers, and those that other installed
packages offer through entry points.

    from biobench.registry import register_vision_backbone
    register_vision_backbone("my-lab", MyBackbone)     # now my-lab:CKPT is a model

Four kinds, one `Registry` each: backbones and tasks here, probes in `biobench.probes`, metrics in
`biobench.metrics`. Their entry-point groups are `biobench.backbones`, `biobench.tasks`,
`biobench.probes` and `biobench.metrics`. Whatever is registered or offered is held against what its
kind needs, before anything is computed with it.
"""

import dataclasses
import importlib
import importlib.metadata
import os
import sys
import types
import typing
import warnings
from collections.abc import Callable, Mapping

from biobench import imports
from biobench.contract import ModelArgs, TaskArgs
from biobench.errors import BadInput, did_you_mean

if typing.TYPE_CHECKING:
    from biobench._backbone import VisionBackbone

__all__ = [
    "BACKBONES",
    "TASKS",
    "Origin",
    "Registry",
    "Task",
    "check_choices",
    "list_lacking",
    "list_tasks",
    "list_vision_backbones",
    "load_task",
    "load_vision_backbone",
    "load_vision_backbone_class",
    "make_vision_backbone",
    "parse_model",
    "register_task",
    "register_vision_backbone",
]

T = typing.TypeVar("T")


@dataclasses.dataclass(frozen=True)
class Origin:
    """Where a thing that is not biobench's own came from."""

    imports: str = ""
    """what to give to --imports: a module, or a file with its whole path; "" for a package."""
    package: str = ""
    """name and version of the installed package that offers it."""

    def __str__(self) -> str:
        return f"the package {self.package}" if self.package else self.imports


class Registry(typing.Generic[T]):
    """The things of one kind, by name.

    kind: what one of them is called in messages.
    group: the entry-point group through which installed packages offer some.
    builtins: biobench's own, as "module" or "module:object", imported on use.
    find_faults: what a thing lacks to be one of this kind, in words; empty where nothing.
    prepare: makes the thing of what is named so, as an instance of a class.
    """

    def __init__(
        self,
        kind: str,
        group: str,
        builtins: Mapping[str, str],
        find_faults: Callable[[str, typing.Any], list[str]],
        prepare: Callable[[typing.Any], typing.Any] = lambda found: found,
    ):
        self.kind = kind
        self.group = group
        self.builtins = dict(builtins)
        self.registered: dict[str, T] = {}
        self._origins: dict[str, Origin] = {}
        self._loaded: dict[str, T] = {}
        self._find_faults = find_faults
        self._prepare = prepare

    def register(self, name: str, thing: T, *, stacklevel: int = 3) -> None:
        """Make a thing known by `name`, in the place of one of that name, of which it warns.

        Raises BadInput naming what the thing lacks.
        """
        home = _find_home(thing)
        entry = self._find_entry(name)
        # A package's module may register what the package offers, too.
        offered = entry if entry is not None and entry.module == home else None
        origin = Origin(package=_name_package(offered)) if offered else _find_origin(home)
        self._check(name, thing, str(origin))
        known = self.registered.get(name)
        if known is not thing if known else name in self.builtins or (entry and not offered):
            warnings.warn(
                f"Overwriting the {self.kind} registered as '{name}'.", stacklevel=stacklevel
            )
        self.registered[name] = thing
        self._origins[name] = origin

    def load(self, name: str) -> T:
        """The thing of that name; raises BadInput naming the known ones, or what it lacks."""
        if name in self.registered:
            return self.registered[name]
        if name in self._loaded:
            return self._loaded[name]
        if name in self.builtins:
            found = self._prepare(_import_object(self.builtins[name]))
        elif (entry := self._find_entry(name)) is not None:
            found = self._load_entry(entry)
        else:
            known = self.names()
            hint = did_you_mean(name, known)
            raise BadInput(f"Unknown {self.kind} '{name}'; known: {', '.join(known)}.{hint}")
        self._loaded[name] = found
        return found

    def names(self) -> list[str]:
        """Every name that `load` knows, in order."""
        offered = {entry.name for entry in importlib.metadata.entry_points(group=self.group)}
        return sorted({*self.builtins, *self.registered, *offered})

    def find_origin(self, name: str) -> Origin | None:
        """Where the thing of that name came from; None for one of biobench's own."""
        if name in self.registered:
            return self._origins[name]
        if name in self.builtins or (entry := self._find_entry(name)) is None:
            return None
        return Origin(package=_name_package(entry))

    def describe_origin(self, name: str) -> list[dict[str, str]]:
        """What a run notes of a thing that is not biobench's own: its kind and name, and `imports`
        or `package`, as in `Origin`; of one that is, nothing."""
        origin = self.find_origin(name)
        if origin is None:
            return []
        where = {key: value for key, value in dataclasses.asdict(origin).items() if value}
        return [{"kind": self.kind, "name": name, **where}]

    def _find_entry(self, name: str) -> importlib.metadata.EntryPoint | None:
        found = importlib.metadata.entry_points(group=self.group, name=name)
        return next(iter(found), None)

    def _load_entry(self, entry: importlib.metadata.EntryPoint) -> T:
        where = f"the package {_name_package(entry)}"
        try:
            found = self._prepare(entry.load())
        except Exception as err:  # another package's code may raise anything
            raise BadInput(
                f"The {self.kind} '{entry.name}' of {where} cannot be loaded "
                f"({type(err).__name__}: {err}); repair or remove that package."
            ) from err
        self._check(entry.name, found, where)
        return found

    def _check(self, name: str, thing: object, where: str) -> None:
        if faults := self._find_faults(name, thing):
            raise BadInput(
                f"The {self.kind} '{name}' of {where} cannot be used: {'; '.join(faults)} "
                "(CONTRIBUTING.md has a worked example)."
            )


def list_lacking(thing: object, contract: type) -> list[str]:
    """The names of a protocol's members that a thing has not, or has where it needs a function."""
    lacking: list[str] = []
    for base in reversed(contract.__mro__):
        if base in (object, typing.Generic, typing.Protocol):
            continue
        values = base.__annotations__ if "__annotations__" in vars(base) else {}
        functions = [n for n, value in vars(base).items() if callable(value)]
        functions = [n for n in functions if not n.startswith("_") or n == "__call__"]
        read = [n for n, value in vars(base).items() if isinstance(value, property)]
        lacking += [n for n in (*read, *values) if not hasattr(thing, n)]
        lacking += [n for n in functions if not callable(getattr(thing, n, None))]
    return list(dict.fromkeys(lacking))


def _find_home(thing: object) -> str:
    return thing.__name__ if isinstance(thing, types.ModuleType) else thing.__module__


def _find_origin(home: str) -> Origin:
    name = imports.get_current() or home
    if name.endswith(".py"):
        module = sys.modules.get(os.path.basename(name).removesuffix(".py"))
        name = getattr(module, "__file__", None) or name
    return Origin(imports=name)


def _name_package(entry: importlib.metadata.EntryPoint) -> str:
    return "unknown" if entry.dist is None else f"{entry.dist.name} {entry.dist.version}"


def _import_object(path: str) -> typing.Any:
    module, _, name = path.partition(":")
    found = importlib.import_module(module)
    return getattr(found, name) if name else found


class Task(typing.Protocol):
    """What a task is: a module with these four names."""

    Args: type[TaskArgs]
    """a frozen dataclass of the task's options, with a default each."""

    def load(self, args: typing.Any) -> typing.Any:
        """The pictures with their labels and splits, a `biobench.data.Manifest`; raises BadInput
        where the data are not as they should be."""
        ...

    def protocol(self, args: typing.Any) -> typing.Any:
        """Which probe, metric and pooling make the score, a `biobench.evaluate.Protocol`."""
        ...

    def benchmark(self, args: typing.Any, model_args: ModelArgs) -> tuple[ModelArgs, object]:
        """Run the task for a model; gives a `biobench.interfaces.TaskReport`, too."""
        ...


def _find_faults_of_task(name: str, task: typing.Any) -> list[str]:
    if lacking := list_lacking(task, Task):
        return [f"it has no {', '.join(lacking)}"]
    if not (isinstance(task.Args, type) and issubclass(task.Args, TaskArgs)):
        return ["its Args is no class that descends from biobench.evaluate.Args"]
    return []


def _find_faults_of_backbone(name: str, cls: typing.Any) -> list[str]:
    from biobench._backbone import VisionBackbone

    if not (isinstance(cls, type) and issubclass(cls, VisionBackbone)):
        return ["it is no class that descends from biobench.interfaces.VisionBackbone"]
    methods = ("img_encode", "make_img_transform")
    lacking = [name for name in methods if vars(VisionBackbone)[name] is _find(cls, name)]
    return [f"it has no {', '.join(lacking)}"] if lacking else []


def _find(cls: type, name: str) -> object:
    return next(vars(base)[name] for base in cls.__mro__ if name in vars(base))


BACKBONES: "Registry[type[VisionBackbone]]" = Registry(
    "backbone",
    "biobench.backbones",
    {
        "open-clip": "biobench.third_party_models:OpenClip",
        "timm-vit": "biobench.third_party_models:TimmVit",
        "timm": "biobench.third_party_models:Timm",
        "hf": "biobench.third_party_models:Hf",
        "torchvision": "biobench.third_party_models:TorchVision",
        "onnx": "biobench.third_party_models:Onnx",
        "torch-export": "biobench.third_party_models:TorchExport",
        "baseline": "biobench.third_party_models:Baseline",
    },
    _find_faults_of_backbone,
)
TASKS: Registry[types.ModuleType] = Registry(
    "task",
    "biobench.tasks",
    {
        "newt": "biobench.newt",
        "kabr": "biobench.kabr",
        "iwildcam": "biobench.iwildcam",
        "plantnet": "biobench.plantnet",
        "folder": "biobench.folder",
        "imagenet1k": "biobench.imagenet1k",
        "inat21": "biobench.inat21",
        "herbarium19": "biobench.herbarium19",
        "plankton": "biobench.plankton",
        "fungiclef": "biobench.fungiclef",
        "fishnet": "biobench.fishnet",
        "beluga": "biobench.beluga",
        "mammalnet": "biobench.mammalnet",
        "ecdysis": "biobench.ecdysis",
    },
    _find_faults_of_task,
)


def register_vision_backbone(model_org: str, cls: "type[VisionBackbone]") -> None:
    """Make `cls(ckpt)` loadable as MODEL_ORG:CKPT; overwriting an earlier class warns.

    Raises BadInput where `cls` is no backbone, naming what it lacks.
    """
    BACKBONES.register(model_org, cls)


def load_vision_backbone_class(model_org: str) -> "type[VisionBackbone]":
    """The class registered as `model_org`; raises BadInput (a ValueError) naming the known ones."""
    return BACKBONES.load(model_org)


def load_vision_backbone(model_org: str, ckpt: str) -> "VisionBackbone":
    """Construct the backbone MODEL_ORG:CKPT; an unknown org raises ValueError naming the known."""
    return load_vision_backbone_class(model_org)(ckpt)


def make_vision_backbone(model: ModelArgs, choices: Mapping[str, typing.Any]) -> "VisionBackbone":
    """Construct a backbone with what the user has chosen of it (`Embedding.get_choices`).

    Raises BadInput where its class takes no such choice.
    """
    org, ckpt = model
    check_choices(model, choices)
    return load_vision_backbone_class(org)(ckpt, **choices)


def check_choices(model: ModelArgs, choices: Mapping[str, typing.Any]) -> None:
    """Raise BadInput where a model's class does not take one of the choices; loads no weights."""
    org, ckpt = model
    # Vectors from a file have no class at all.
    taken = () if org == "features" else load_vision_backbone_class(org).choices
    for name in choices:
        if name not in taken:
            flag = name.replace("_", "-")
            raise BadInput(f"{org}:{ckpt} takes no --{flag}: run it without, by itself.")


def list_vision_backbones() -> list[str]:
    """Every organisation that can stand before the colon of a model's name."""
    return BACKBONES.names()


def parse_model(name: str) -> ModelArgs:
    """The two parts of ORG:CKPT, which the first colon parts; raises BadInput where one lacks."""
    org, _, ckpt = name.partition(":")
    if not (org and ckpt):
        raise BadInput(
            f"'{name}' is not a model: write ORG:CKPT, as 'timm:resnet50.a1_in1k' "
            f"(known ORGs: {', '.join(list_vision_backbones())})."
        )
    return org, ckpt


def register_task(name: str, module: types.ModuleType) -> None:
    """Make a module with `Args`, `load`, `protocol` and `benchmark` runnable as task `name`.

    One of that name that was there is replaced, with a warning. Raises BadInput where the module is
    no task, naming what it lacks.
    """
    TASKS.register(name, module)


def load_task(name: str) -> types.ModuleType:
    """The module of a task; raises BadInput (a ValueError) naming the known ones."""
    return TASKS.load(name)


def list_tasks() -> list[str]:
    """Every task's name, as it stands on the command line."""
    return TASKS.names()
