"""Networks without their code: an ONNX file, or one of torch.export.

    backbone = Onnx("run/model.onnx")          # beside it run/model.toml: how pictures are made
    backbone = TorchExport("run/model.pt2")    # likewise

A network alone does not say which pixels it wants: it is refused without the file beside it.

    size = 224                    # pixels, height and width
    fit = "crop"                  # the middle of the picture; "squeeze": all of it, out of shape
    resize = 256                  # crop: the shorter side before; absent: as size
    interpolation = "bicubic"     # or "bilinear"
    mean = [0.485, 0.456, 0.406]  # of pixels from 0 to 1
    std = [0.229, 0.224, 0.225]
    output = "features"           # of several outputs, the one that is the vector: name or number
    pool = "cls"                  # where it is tokens [batch, n, dim]: cls, mean or max
"""

import contextlib
import dataclasses
import hashlib
import json
import os
import pathlib
import tomllib
import typing
from collections.abc import Iterator, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from biobench import fields
from biobench._backbone import Pooling
from biobench.errors import BadInput, did_you_mean, require_extra
from biobench.interfaces import EncodedImgBatch, VisionBackbone
from biobench.pooling_table import WORDS
from biobench.third_party_models import weights
from biobench.third_party_models.checkpoints import explain_unreadable

__all__ = ["Onnx", "Preparation", "TorchExport", "read_preparation"]


@dataclasses.dataclass(frozen=True)
class Preparation:
    """What the file beside a network says: how pictures are made, which output is the vector."""

    size: int
    fit: typing.Literal["crop", "squeeze"]
    interpolation: typing.Literal["bilinear", "bicubic"]
    mean: list[float]
    std: list[float]
    resize: int = 0
    output: str | int = 0
    pool: typing.Literal["", "cls", "mean", "max"] = ""

    def make_transform(self) -> typing.Any:
        """The function from a PIL image to a tensor [3, size, size]."""
        from torchvision.transforms import v2

        mode = v2.InterpolationMode(self.interpolation)
        if self.fit == "crop":
            shorter = v2.Resize(self.resize or self.size, interpolation=mode, antialias=True)
            fit = [shorter, v2.CenterCrop(self.size)]
        else:
            fit = [v2.Resize((self.size, self.size), interpolation=mode, antialias=True)]
        convert = [v2.ToImage(), v2.ToDtype(torch.float32, scale=True)]
        return v2.Compose([*fit, *convert, v2.Normalize(self.mean, self.std)])


class _Runner:
    """A network as a function of a batch, its outputs in order."""

    names: Sequence[str] = ()
    """of the outputs; empty where they have none."""
    tensors: Sequence[Tensor]
    """its weights, which decide what it computes."""

    def __call__(self, batch: Tensor) -> list[Tensor]:
        """Each output for a batch [n, 3, height, width]."""
        raise NotImplementedError

    def __deepcopy__(self, memo: object) -> "_Runner":
        # It has no state of its own.
        return self


class _Exported(VisionBackbone):
    """A network in a file, with a file beside it that says how pictures are made."""

    org: typing.ClassVar[str]

    def __init__(self, ckpt: str):
        super().__init__()
        self.check_ckpt(ckpt)
        path = pathlib.Path(ckpt)
        self._preparation = read_preparation(path)
        self._run = self._load(path)
        self._identity = hashlib.sha256(path.read_bytes()).hexdigest()
        for i, tensor in enumerate(self._run.tensors):
            if tensor.is_floating_point():
                self.register_parameter(f"tensor{i}", torch.nn.Parameter(tensor, False))
            else:
                self.register_buffer(f"tensor{i}", tensor)
        self.weights_source = weights.say_source(ckpt, f"the file {path}")
        self._index = self._find_output(ckpt)
        self._takes_batches = self._try(ckpt)
        weights.freeze(self)

    def _load(self, path: pathlib.Path) -> _Runner:
        raise NotImplementedError

    def img_encode(self, batch: Float[Tensor, "batch 3 width height"]) -> EncodedImgBatch:
        """The output that is the vector, [batch, dim], and its tokens where it is pooled here."""
        parts = [batch] if self._takes_batches else batch.split(1)
        made = torch.cat([self._run(part)[self._index] for part in parts])
        match self._preparation.pool:
            case "":
                return EncodedImgBatch(made, None)
            case "cls":
                return EncodedImgBatch(made[:, 0], made[:, 1:])
            case "mean":
                return EncodedImgBatch(made.mean(dim=1), made)
            case _:
                return EncodedImgBatch(made.amax(dim=1), made)

    def make_img_transform(self):
        """What the file beside the network says."""
        return self._preparation.make_transform()

    def data_config(self) -> dict[str, object]:
        """`input_size` (channels, height, width), `mean` and `std` of the file beside it."""
        said = self._preparation
        return {"input_size": (3, said.size, said.size), "mean": said.mean, "std": said.std}

    def cache_identity(self) -> str:
        """The network's file, by content, and which output is taken."""
        return f"{self._identity} {self._index}"

    def describe_pooling(self) -> object:
        """How the output becomes one vector."""
        return self._preparation.pool

    def get_pooling(self) -> Pooling:
        """Which vector this is."""
        pool = self._preparation.pool or "own"
        what = f"{WORDS[pool]} of the output" if pool != "own" else "an output of the network"
        return Pooling(pool, f"{what} ({self._preparation.output})", "the file beside the network")

    @classmethod
    def check_ckpt(cls, ckpt: str) -> None:
        """Raise BadInput where there is no such file, or none beside it; loads no weights."""
        path = pathlib.Path(ckpt)
        if not path.is_file():
            raise BadInput(f"{cls.org}:{ckpt} names a file that does not exist; give its path.")
        read_preparation(path)

    def _find_output(self, ckpt: str) -> int:
        output, names = self._preparation.output, list(self._run.names)
        if isinstance(output, str):
            if output in names:
                return names.index(output)
            known = f"it has {', '.join(names)}" if names else "its outputs have no names"
            raise BadInput(f"{self.org}:{ckpt} has no output '{output}': {known}.")
        return output

    def _try(self, ckpt: str) -> bool:
        """Whether it takes several pictures at once; raises BadInput where it takes not one."""
        size = self._preparation.size
        for n in (2, 1):
            try:
                with torch.inference_mode():
                    made = self._run(torch.zeros(n, 3, size, size))[self._index]
            except Exception as err:  # each runtime has its own
                if n == 2:
                    continue
                raise BadInput(
                    f"{self.org}:{ckpt} fails on a picture of 3 x {size} x {size} "
                    f"({weights.first_line(err)[:160]}); its .toml must say what it takes."
                ) from err
            shape, wanted = tuple(made.shape), 3 if self._preparation.pool else 2
            if len(shape) != wanted or len(made) != n:
                raise BadInput(
                    f"The output of {self.org}:{ckpt} has the shape {shape}: name another as "
                    "`output` in its .toml, or for tokens [batch, n, dim] a `pool`."
                )
            return n == 2
        raise AssertionError("one of both returns or raises")


class Onnx(_Exported):
    """A network in ONNX (https://onnx.ai), run by onnxruntime, on the GPU where that can.

    Its weights are held twice, once to be told apart. Raises BadInput where the file is damaged, or
    the one beside it lacks or does not fit.
    """

    org = "onnx"
    description = "networks in ONNX, without their code (extra onnx)"
    example_ckpts = ("run/model.onnx",)

    @classmethod
    def check_ckpt(cls, ckpt: str) -> None:
        """Raise BadInput where there is no such file, none beside it, or no onnxruntime."""
        require_extra("onnx", "onnxruntime", f"onnx:{ckpt}")
        require_extra("onnx", "onnx", f"onnx:{ckpt}")
        super().check_ckpt(ckpt)

    def _load(self, path: pathlib.Path) -> _Runner:
        return _OnnxRunner(path)


class TorchExport(_Exported):
    """A network written by `torch.export.save`.

    Nothing in the file is executed that could be more than a network's operations: it is read with
    `weights_only`, and refused where it holds objects beside tensors, or compiled code. Raises
    BadInput as `Onnx` does.
    """

    org = "torch-export"
    description = "networks of torch.export, without their code"
    example_ckpts = ("run/model.pt2",)

    def _load(self, path: pathlib.Path) -> _Runner:
        return _ExportRunner(path)


class _OnnxRunner(_Runner):
    def __init__(self, path: pathlib.Path):
        import onnx
        import onnxruntime
        from onnx import numpy_helper

        try:
            graph = onnx.load(path).graph
            self.tensors = [
                torch.from_numpy(numpy_helper.to_array(one).copy()) for one in graph.initializer
            ]
            self._path = path
            self._sessions = {"cpu": self._open("cpu")}
        except Exception as err:  # protobuf, onnx and onnxruntime each raise their own
            raise BadInput(
                f"The network '{path}' cannot be read as ONNX: {weights.first_line(err)[:200]}"
            ) from err
        self.names = [one.name for one in self._sessions["cpu"].get_outputs()]
        inputs = self._sessions["cpu"].get_inputs()
        if len(inputs) != 1:
            raise BadInput(f"The network '{path}' has {len(inputs)} inputs, but needs one picture.")
        self._input = inputs[0].name
        self._has_cuda = "CUDAExecutionProvider" in onnxruntime.get_available_providers()

    def __call__(self, batch: Tensor) -> list[Tensor]:
        device = "cuda" if batch.is_cuda and self._has_cuda else "cpu"
        if device not in self._sessions:
            self._sessions[device] = self._open(device)
        pixels = batch.detach().float().cpu().contiguous().numpy()
        made = self._sessions[device].run(None, {self._input: pixels})
        return [torch.from_numpy(one).to(batch.device) for one in made]

    def _open(self, device: str) -> typing.Any:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        providers = ["CPUExecutionProvider"]
        if device == "cuda":
            providers.insert(0, "CUDAExecutionProvider")
        return onnxruntime.InferenceSession(str(self._path), options, providers=providers)


class _ExportRunner(_Runner):
    def __init__(self, path: pathlib.Path):
        try:
            _refuse_objects(path)
            with _weights_only():
                self._program = torch.export.load(path)
            self._modules = {torch.device("cpu"): self._program.module()}
        except Exception as err:  # zipfile, pickle and torch each raise their own
            raise BadInput(
                f"The network '{path}' cannot be read as one of torch.export: "
                f"{explain_unreadable(err)[:200]}"
            ) from err
        values = [*self._program.state_dict.values(), *self._program.constants.values()]
        self.tensors = [one.detach() for one in values if isinstance(one, Tensor)]

    def __call__(self, batch: Tensor) -> list[Tensor]:
        if batch.device not in self._modules:
            from torch.export.passes import move_to_device_pass

            moved = move_to_device_pass(self._program, str(batch.device))
            self._modules[batch.device] = moved.module()
        made = self._modules[batch.device](batch)
        if isinstance(made, dict):
            return list(made.values())
        return list(made) if isinstance(made, tuple | list) else [made]


def _refuse_objects(path: pathlib.Path) -> None:
    """Raise ValueError on what `weights_only` does not reach: constants that are no tensors, which
    torch gives to `pickle.loads`, and compiled libraries, which it loads."""
    from torch.export.pt2_archive import _package, constants

    try:
        # What torch itself reads it with: another zip reader might see other files in it.
        archive = _package.PT2ArchiveReader(str(path))
    except RuntimeError:
        return  # The older format, all of which goes through torch.load.
    with archive:
        for name in archive.get_file_names():
            if name.startswith(constants.AOTINDUCTOR_DIR):
                raise ValueError("it holds a compiled library, which could run code when opened.")
            if not (name.startswith(constants.CONSTANTS_DIR) and name.endswith(".json")):
                continue
            for constant, about in json.loads(archive.read_string(name))["config"].items():
                if not about["path_name"].startswith(constants.TENSOR_CONSTANT_FILENAME_PREFIX):
                    raise ValueError(
                        f"beside tensors it holds the object '{constant}', which could run code "
                        "when it is opened."
                    )


@contextlib.contextmanager
def _weights_only() -> Iterator[None]:
    """Have torch.load refuse code, also where its caller would fall back to running it."""
    before = os.environ.get("TORCH_FORCE_WEIGHTS_ONLY_LOAD")
    os.environ["TORCH_FORCE_WEIGHTS_ONLY_LOAD"] = "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ["TORCH_FORCE_WEIGHTS_ONLY_LOAD"]
        else:
            os.environ["TORCH_FORCE_WEIGHTS_ONLY_LOAD"] = before


def read_preparation(path: pathlib.Path) -> Preparation:
    """What the .toml beside a network says; raises BadInput where it lacks or is wrong."""
    beside = path.with_suffix(".toml")
    if not beside.is_file():
        raise BadInput(
            f"'{path}' does not say which pixels it wants: write {beside.name} beside it with "
            "size, fit, interpolation, mean and std (docs/backbones.md)."
        )
    try:
        said = tomllib.loads(beside.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as err:
        raise BadInput(f"'{beside}' is not a readable TOML file: {err}.") from err
    known = fields.get_fields(Preparation)
    for key, value in said.items():
        if key not in known:
            raise BadInput(
                f"'{beside}' has an unknown key '{key}'.{did_you_mean(key, list(known))}"
            )
        if not fields.fits(value, known[key]):
            kind = fields.describe_type(known[key])
            raise BadInput(f"'{key}' in '{beside}' is {value!r}; give {kind}.")
    needed = ("size", "fit", "interpolation", "mean", "std")
    if lacking := [key for key in needed if key not in said]:
        raise BadInput(f"'{beside}' lacks {', '.join(lacking)} (docs/backbones.md).")
    made = Preparation(**said)
    if made.size < 1 or len(made.mean) != 3 or len(made.std) != 3 or min(made.std) <= 0:
        raise BadInput(f"'{beside}' needs a positive size, and three numbers for mean and for std.")
    return made
