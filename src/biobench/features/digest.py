"""What a backbone is, as one hex string: the key of the feature cache.

    backbone_digest(backbone) == backbone_digest(the_same_checkpoint_under_another_name)

Equal digests mean equal features, so everything that decides a feature goes in: the class and its
`adapter_version`, the architecture (QuickGELU and GELU have the same weights), every parameter and
buffer, the transform, the arithmetic. The checkpoint's name does not.
"""

import ast
import functools
import hashlib
import inspect
import re
import textwrap
import types
from collections.abc import Callable, Iterable, Iterator

import numpy as np
import torch
from jaxtyping import Shaped, UInt8
from PIL import Image
from torch import Tensor

from biobench.interfaces import VisionBackbone

__all__ = ["backbone_digest", "make_probe_image"]

# Raised when the loop or the decoding policy changes what comes out for the same inputs.
POLICY_VERSION = "1"

_ADDRESS = re.compile(r"\b0x[0-9a-fA-F]+")


def backbone_digest(
    backbone: VisionBackbone, *, precision: str = "fp32", exif: bool = False
) -> str:
    """Hex string over everything that decides the features of `backbone`.

    A backbone whose features depend on something else than its class, architecture, tensors and
    transform defines `cache_identity() -> str`, which goes in too.
    """
    digest = hashlib.sha256()
    for name, value in _describe(backbone, precision, exif):
        digest.update(f"\x1e{name}\x1f".encode())
        digest.update(value)
    return digest.hexdigest()


def make_probe_image() -> Image.Image:
    """A fixed RGB picture, 523 x 389, with edges, gradients and texture."""
    y, x = np.mgrid[0:389, 0:523]
    texture = (x * 7919 + y * 104729 + x * y * 31) % 256
    pixels = np.stack([x * 255 // 522, y * 255 // 388, texture], axis=-1)
    return Image.fromarray(pixels.astype(np.uint8))


def _describe(
    backbone: VisionBackbone, precision: str, exif: bool
) -> Iterator[tuple[str, bytes | np.ndarray]]:
    cls = type(backbone)
    yield "policy", POLICY_VERSION.encode()
    yield "class", f"{cls.__module__}.{cls.__qualname__}".encode()
    yield "adapter", str(getattr(backbone, "adapter_version", "")).encode()
    yield "source", _describe_source(cls).encode()
    yield "architecture", _strip_addresses(repr(backbone)).encode()
    yield "pooling", _strip_addresses(repr(getattr(backbone, "pooling", None))).encode()
    if hasattr(backbone, "cache_identity"):
        yield "identity", str(backbone.cache_identity()).encode()
    yield "precision", precision.encode()
    yield "exif", str(exif).encode()
    for name, tensor in _iter_tensors(backbone):
        yield f"{name} {tensor.dtype} {tuple(tensor.shape)}", _to_bytes(tensor)
    transform = backbone.make_img_transform()
    yield "transform", _describe_callable(transform).encode()
    # Catches what a description leaves out, such as the body of a lambda.
    yield "transformed probe", _to_bytes(_transform_probe(transform))


def _iter_tensors(backbone: VisionBackbone) -> Iterator[tuple[str, Tensor]]:
    seen = set()
    for name, value in backbone.state_dict().items():
        seen.add(name)
        if isinstance(value, Tensor):
            yield name, value
    # Buffers that are not saved with the model decide its features all the same.
    for name, value in backbone.named_buffers():
        if name not in seen:
            yield name, value


def _to_bytes(tensor: Tensor) -> UInt8[np.ndarray, " n"]:
    tensor = tensor.detach().cpu().contiguous()
    return tensor.reshape(-1).view(torch.uint8).numpy()


def _transform_probe(transform: Callable) -> Shaped[Tensor, "..."]:
    return torch.as_tensor(transform(make_probe_image()))


def _describe_source(cls: type) -> str:
    """The code of an adapter outside biobench, whose author may forget `adapter_version`."""
    parts = []
    for base in cls.__mro__[: cls.__mro__.index(VisionBackbone)]:
        if base.__module__.partition(".")[0] in ("biobench", "torch"):
            continue
        try:
            tree = ast.parse(textwrap.dedent(inspect.getsource(base)))
        except (OSError, TypeError, SyntaxError):
            continue
        parts.append(ast.dump(tree))
    return "\n".join(parts)


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
    text = f"{cls.__module__}.{cls.__qualname__} {_strip_addresses(repr(value))}"
    # torchvision's Compose prints its steps, but a lambda among them only by its address.
    steps = getattr(value, "transforms", None)
    if isinstance(steps, list | tuple):
        text += f"[{describe(steps)}]"
    elif cls.__repr__ is object.__repr__ and hasattr(value, "__dict__"):
        text += f"({describe(sorted(vars(value).items()))})"
    return text


def _describe_all(values: Iterable[object], depth: int) -> str:
    return ", ".join(_describe_callable(value, depth) for value in values)


def _strip_addresses(text: str) -> str:
    return _ADDRESS.sub("0x", text)
