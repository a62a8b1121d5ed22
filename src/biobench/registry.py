"""Finds backbones and tasks by name: biobench's own, those a program registers, and those that
other installed packages offer through the entry-point groups `biobench.backbones` and
`biobench.tasks`.

    from biobench.registry import register_vision_backbone
    register_vision_backbone("my-lab", MyBackbone)     # now my-lab:CKPT is a model
"""

import difflib
import importlib
import importlib.metadata
import types
import typing
import warnings

if typing.TYPE_CHECKING:
    from biobench.interfaces import VisionBackbone

__all__ = [
    "list_tasks",
    "list_vision_backbones",
    "load_task",
    "load_vision_backbone",
    "load_vision_backbone_class",
    "register_task",
    "register_vision_backbone",
]

_BUILTIN_BACKBONES = {
    "open-clip": "biobench.third_party_models:OpenClip",
    "timm-vit": "biobench.third_party_models:TimmVit",
    "timm": "biobench.third_party_models:Timm",
    "torchvision": "biobench.third_party_models:TorchVision",
    "baseline": "biobench.third_party_models:Baseline",
}
_BUILTIN_TASKS = {
    "newt": "biobench.newt",
    "kabr": "biobench.kabr",
    "iwildcam": "biobench.iwildcam",
    "plantnet": "biobench.plantnet",
    "folder": "biobench.folder",
    "imagenet1k": "biobench.imagenet1k",
    "inat21": "biobench.inat21",
    "beluga": "biobench.beluga",
    "fishnet": "biobench.fishnet",
    "mammalnet": "biobench.mammalnet",
    "fungiclef": "biobench.fungiclef",
    "herbarium19": "biobench.herbarium19",
    "plankton": "biobench.plankton",
    "ecdysis": "biobench.ecdysis",
}

_backbones: dict[str, "type[VisionBackbone]"] = {}
_tasks: dict[str, types.ModuleType] = {}


def register_vision_backbone(model_org: str, cls: "type[VisionBackbone]") -> None:
    """Make `cls(ckpt)` loadable as MODEL_ORG:CKPT; overwriting an earlier class warns."""
    if model_org in list_vision_backbones() and _backbones.get(model_org) is not cls:
        warnings.warn(f"Overwriting the backbone registered as '{model_org}'.", stacklevel=2)
    _backbones[model_org] = cls


def load_vision_backbone_class(model_org: str) -> "type[VisionBackbone]":
    """The class registered as `model_org`; raises ValueError naming the known ones."""
    if model_org in _backbones:
        return _backbones[model_org]
    if model_org in _BUILTIN_BACKBONES:
        return _import_object(_BUILTIN_BACKBONES[model_org])
    for entry in importlib.metadata.entry_points(group="biobench.backbones"):
        if entry.name == model_org:
            return entry.load()
    raise ValueError(_unknown("model organisation", model_org, list_vision_backbones()))


def load_vision_backbone(model_org: str, ckpt: str) -> "VisionBackbone":
    """Construct the backbone MODEL_ORG:CKPT; an unknown org raises ValueError naming the known."""
    return load_vision_backbone_class(model_org)(ckpt)


def list_vision_backbones() -> list[str]:
    """Every organisation that can stand before the colon of a model's name."""
    offered = {entry.name for entry in importlib.metadata.entry_points(group="biobench.backbones")}
    return sorted({*_BUILTIN_BACKBONES, *_backbones, *offered})


def register_task(name: str, module: types.ModuleType) -> None:
    """Make a module with `Args`, `load`, `protocol` and `benchmark` runnable as task `name`."""
    if name in list_tasks() and _tasks.get(name) is not module:
        warnings.warn(f"Overwriting the task registered as '{name}'.", stacklevel=2)
    _tasks[name] = module


def load_task(name: str) -> types.ModuleType:
    """The module of a task; raises ValueError naming the known ones."""
    if name in _tasks:
        return _tasks[name]
    if name in _BUILTIN_TASKS:
        return importlib.import_module(_BUILTIN_TASKS[name])
    for entry in importlib.metadata.entry_points(group="biobench.tasks"):
        if entry.name == name:
            return entry.load()
    raise ValueError(_unknown("task", name, list_tasks()))


def list_tasks() -> list[str]:
    """Every task's name, as it stands on the command line."""
    offered = {entry.name for entry in importlib.metadata.entry_points(group="biobench.tasks")}
    return sorted({*_BUILTIN_TASKS, *_tasks, *offered})


def _import_object(path: str) -> typing.Any:
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(module), name)


def _unknown(kind: str, name: str, known: list[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    hint = f" Did you mean '{close[0]}'?" if close else ""
    return f"Unknown {kind} '{name}'; known: {', '.join(known)}.{hint}"
