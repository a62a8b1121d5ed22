"""What a backbone is, as one hex string: the key of the feature cache.

    backbone_digest(backbone) == backbone_digest(the_same_checkpoint_under_another_name)

Equal digests mean equal features, so everything that decides a feature goes in: the class, its
`adapter_version` and its code (`biobench.features.code`), the architecture (QuickGELU and GELU have
the same weights), every parameter and buffer, the transform, the arithmetic, and what comes out for
a fixed picture. The checkpoint's name does not.
"""

import contextlib
import functools
import hashlib
import inspect
import re
import types
import typing
from collections.abc import Iterable, Iterator, Mapping

import numpy as np
import torch
from jaxtyping import Float32, Shaped, UInt8
from PIL import Image
from torch import Tensor

from biobench.features.code import digest_code
from biobench.interfaces import VisionBackbone

__all__ = ["at_rest", "backbone_digest", "coarsen", "iter_tensors", "make_trial_picture"]
__all__ += ["strip_addresses", "to_bytes"]

# Raised when the loop or the decoding policy changes what comes out for the same inputs.
POLICY_VERSION = "2"

N_PROJECTIONS = 256
STEPS_AN_OCTAVE = 16

_ADDRESS = re.compile(r"\b0x[0-9a-fA-F]+")


def backbone_digest(
    backbone: VisionBackbone, *, precision: str = "fp32", exif: bool = False, **options: object
) -> str:
    """Hex string over everything that decides the features of `backbone`.

    options: further options of `EmbedOptions` that decide features, where they are set.
    What else a backbone's features depend on, its `cache_identity()` says.
    """
    digest = hashlib.sha256()
    decided = {"precision": precision, "exif": exif, **dict(sorted(options.items()))}
    for name, value in _describe(backbone, decided):
        digest.update(f"\x1e{name}\x1f".encode())
        digest.update(value)
    return digest.hexdigest()


def make_trial_picture() -> Image.Image:
    """A fixed RGB picture, 523 x 389, with edges, gradients and texture."""
    y, x = np.mgrid[0:389, 0:523]
    texture = (x * 7919 + y * 104729 + x * y * 31) % 256
    pixels = np.stack([x * 255 // 522, y * 255 // 388, texture], axis=-1)
    return Image.fromarray(pixels.astype(np.uint8))


def _describe(
    backbone: VisionBackbone, decided: Mapping[str, object]
) -> Iterator[tuple[str, typing.Any]]:
    cls = type(backbone)
    yield "policy", POLICY_VERSION.encode()
    yield "class", f"{cls.__module__}.{cls.__qualname__}".encode()
    yield "adapter", str(backbone.adapter_version).encode()
    yield "source", digest_code(cls).encode()
    yield "architecture", strip_addresses(repr(backbone)).encode()
    yield "pooling", strip_addresses(repr(backbone.describe_pooling())).encode()
    if (identity := backbone.cache_identity()) is not None:
        yield "identity", str(identity).encode()
    for name, value in decided.items():
        yield name, str(value).encode()
    for name, tensor in iter_tensors(backbone):
        yield f"{name} {tensor.dtype} {tuple(tensor.shape)}", to_bytes(tensor)
    transform = backbone.make_img_transform()
    yield "transform", _describe_callable(transform).encode()
    # Catches what a description leaves out, such as the body of a lambda. What the parts are called
    # is in every key, so they keep the names that the trial picture once had.
    trial = torch.as_tensor(transform(make_trial_picture()))
    yield "transformed probe", to_bytes(trial)
    # Catches what no code shows: a file that the adapter reads, a module edited after its import.
    yield "encoded probe", _encode_trial(backbone, trial)


def iter_tensors(backbone: torch.nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Every parameter and buffer by its name, in order."""
    seen = set()
    for name, value in backbone.state_dict().items():
        seen.add(name)
        if isinstance(value, Tensor):
            yield name, value
    # Buffers that are not saved with the model decide its features all the same.
    for name, value in backbone.named_buffers():
        if name not in seen:
            yield name, value


def to_bytes(tensor: Tensor) -> UInt8[np.ndarray, " n"]:
    """What a tensor holds, byte for byte."""
    tensor = tensor.detach().cpu().contiguous()
    return tensor.reshape(-1).view(torch.uint8).numpy()


def _encode_trial(
    backbone: VisionBackbone, trial: Shaped[Tensor, "channels width height"]
) -> bytes:
    """What the backbone makes of the trial, on a CPU and in its own arithmetic, told coarsely."""
    try:
        with at_rest(backbone), torch.inference_mode():
            features = backbone.img_encode(trial.cpu()[None]).img_features
        return coarsen(features.detach().float().cpu().numpy().reshape(-1))
    except Exception as err:
        # It may need a GPU, or be broken: then running it says so.
        return f"cannot be run on a CPU: {type(err).__name__}".encode()


def coarsen(vector: Float32[np.ndarray, " dim"]) -> bytes:
    """A text that is the same for vectors that differ by rounding, and another one for others.

    The length to 4%, and the signs of 256 fixed random projections (Charikar, "Similarity
    estimation techniques from rounding algorithms", STOC 2002): vectors at an angle of 0.01 differ
    in some sign with a probability of 0.56, at 0.1 always but once in 4,000. Kernels of other
    processors or thread counts move a feature by about 1e-6 of its length, which shows once in
    10,000 backbones; that backbone is then embedded once more.
    """
    if not np.isfinite(vector).all():
        return b"not finite"
    length = float(np.linalg.norm(vector.astype(np.float64)))
    if length == 0:
        return b"zero"
    rng = np.random.Generator(np.random.PCG64(0))
    # Uniform, because its bits are the same everywhere.
    directions = rng.random((N_PROJECTIONS, len(vector)), dtype=np.float32) - np.float32(0.5)
    signs = directions @ (vector / length) > 0
    return f"{len(vector)} {round(np.log2(length) * STEPS_AN_OCTAVE)} ".encode() + signs.tobytes()


@contextlib.contextmanager
def at_rest(backbone: torch.nn.Module) -> Iterator[None]:
    """The backbone in evaluation on a CPU, with fixed random numbers; afterwards as it was."""
    modes = [(module, module.training) for module in backbone.modules()]
    devices = {tensor.device for tensor in [*backbone.parameters(), *backbone.buffers()]}
    home = devices.pop() if len(devices) == 1 else torch.device("cpu")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        try:
            backbone.eval().to("cpu")
            yield
        finally:
            backbone.to(home)
            for module, mode in modes:
                module.training = mode


def _describe_callable(value: object, depth: int = 0) -> str:
    """A description of a transform: its repr where it has one, else its name and bound state."""
    # Objects may refer to one another in circles.
    if depth > 8:
        return type(value).__qualname__
    describe = functools.partial(_describe_all, depth=depth + 1)
    if isinstance(value, functools.partial):
        return f"partial({describe([value.func, *value.args, *value.keywords.items()])})"
    if isinstance(value, types.MethodType):
        return f"{value.__func__.__qualname__} of {describe([value.__self__])}"
    if isinstance(value, types.FunctionType):
        bound = inspect.getclosurevars(value).nonlocals.values()
        name = f"{value.__module__}.{value.__qualname__}"
        return f"{name}({describe([*(value.__defaults__ or ()), *bound])})"
    if isinstance(value, list | tuple):
        return f"[{describe(value)}]"
    cls = type(value)
    text = f"{cls.__module__}.{cls.__qualname__} {strip_addresses(repr(value))}"
    # torchvision's Compose prints its steps, but a lambda among them only by its address.
    steps = getattr(value, "transforms", None)
    if isinstance(steps, list | tuple):
        text += f"[{describe(steps)}]"
    elif cls.__repr__ is object.__repr__ and hasattr(value, "__dict__"):
        text += f"({describe(sorted(vars(value).items()))})"
    return text


def _describe_all(values: Iterable[object], depth: int) -> str:
    return ", ".join(_describe_callable(value, depth) for value in values)


def strip_addresses(text: str) -> str:
    """A text of `repr` without what differs from process to process."""
    return _ADDRESS.sub("0x", text)
