"""Proves or refutes that a backbone is what a benchmark needs.

    checks = examine(backbone, ("my-lab", "v2"), device=torch.device("cpu"))
    failed = [check for check in checks if check.status == "fail"]

The backbone is examined first as its author left it, then in evaluation mode, on generated
pictures. A failed check means wrong or irreproducible features for whoever uses the backbone;
biobench's own loop works around some of them, and the advice says which.
"""

import contextlib
import dataclasses
import pickle
from collections.abc import Iterator
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from biobench.features import agreement, cost
from biobench.interfaces import EncodedImgBatch, ModelArgs, VisionBackbone

__all__ = ["Check", "effective_rank", "examine", "make_pictures"]

N_PICTURES = 12
SAME = agreement.TOLERANCE["fp32"]


@dataclasses.dataclass(frozen=True)
class Check:
    """One finding about a backbone."""

    name: str
    status: Literal["pass", "fail", "warn", "info"]
    value: str
    """what was measured."""
    advice: str = ""
    """what to do, where something is to be done."""


def examine(
    backbone: VisionBackbone, model: ModelArgs, *, device: torch.device | str = "cpu"
) -> list[Check]:
    """Every check of `backbone`, in the order of a report; the first failures may end it early.

    model: (org, ckpt), for messages.
    The backbone is left on `device`, in evaluation mode, with the tensors it came with.
    """
    device = torch.device(device)
    checks = [_check_source(backbone, model), *_check_pooling(backbone)]
    batch, found = _check_transform(backbone)
    checks += found
    if batch is None:
        return checks
    backbone.to(device)
    batch = batch.to(device)
    training = [name or "itself" for name, part in backbone.named_modules() if part.training]
    try:
        with _keep_tensors(backbone):
            _encode(backbone, batch)
        checks += _check_raw(backbone, batch, training)
        encoded = _encode(backbone.eval(), batch)
    except Exception as err:  # an author's code may raise anything
        advice = "img_encode must make an EncodedImgBatch of a batch of prepared pictures."
        return [*checks, Check("encoding", "fail", _first_line(err), advice)]
    checks += _check_shapes(encoded, len(batch))
    if any(check.status == "fail" and check.name == "image features" for check in checks):
        return checks
    checks.append(_check_finite(encoded.img_features))
    checks.append(_check_spread(encoded.img_features))
    checks += [_check_half(backbone, batch, name) for name in agreement.DTYPES]
    return [*checks, *_measure_cost(backbone, batch)]


def make_pictures(n: int = N_PICTURES, seed: int = 0) -> list[Image.Image]:
    """Generated RGB pictures that differ in colour, pattern, scale and shape; the same each time.

    The first two are black and white.
    """
    rng = np.random.default_rng(seed)
    pictures = [np.zeros((200, 300, 3)), np.full((300, 200, 3), 255.0)]
    while len(pictures) < n:
        height, width = rng.integers(150, 400, size=2)
        y, x = np.mgrid[0:height, 0:width] / rng.uniform(5, 60)
        angle = rng.uniform(0, np.pi)
        waves = np.sin(x * np.cos(angle) + y * np.sin(angle))
        blobs = np.sin(x * rng.uniform(0.2, 1)) * np.sin(y * rng.uniform(0.2, 1))
        mixed = np.stack([waves, blobs, waves * blobs], axis=-1) @ rng.normal(size=(3, 3))
        noise = rng.normal(size=(height, width, 3)) * rng.uniform(0, 40)
        pictures.append(rng.uniform(40, 215, size=3) + 60 * mixed + noise)
    return [Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)) for pixels in pictures[:n]]


def effective_rank(features: Float[np.ndarray, "n d"]) -> float:
    """How many directions the centred features use, from 1 to n - 1.

    exp of the entropy of the normalised singular values (Roy and Vetterli, EUSIPCO 2007).
    """
    values = np.linalg.svd(features - features.mean(axis=0), compute_uv=False)
    if values.sum() == 0:
        return 0.0
    shares = values / values.sum()
    shares = shares[shares > 0]
    return float(np.exp(-(shares * np.log(shares)).sum()))


def _check_source(backbone: VisionBackbone, model: ModelArgs) -> Check:
    name = type(backbone).__name__
    source = backbone.weights_source
    value = f"{':'.join(model)} by {name}" + (f", weights from {source}" if source else "")
    return Check("backbone", "info", value)


def _check_pooling(backbone: VisionBackbone) -> list[Check]:
    pooling = backbone.get_pooling()
    if pooling is None:
        return []
    source = f" ({pooling.source})" if pooling.source else ""
    status = "warn" if pooling.advice else "info"
    return [Check("vector", status, f"{pooling.what}{source}", pooling.advice)]


def _check_transform(backbone: VisionBackbone) -> tuple[Tensor | None, list[Check]]:
    """The pictures as a batch (None where they cannot be stacked), and checks of the transform."""
    name = "transform"
    try:
        transform = backbone.make_img_transform()
        tensors = [torch.as_tensor(transform(picture)) for picture in make_pictures()]
        again = [torch.as_tensor(transform(picture)) for picture in make_pictures()]
    except Exception as err:  # an author's code may raise anything
        advice = "make_img_transform must return a function from any RGB PIL image to a tensor."
        return None, [Check(name, "fail", _first_line(err), advice)]
    shapes = sorted({tuple(tensor.shape) for tensor in tensors})
    text = " and ".join(" x ".join(map(str, shape)) for shape in shapes)
    if len(shapes) > 1 or len(shapes[0]) != 3 or not tensors[0].is_floating_point():
        advice = "Resize and crop every picture to one shape [3, width, height] of floats."
        return None, [Check(name, "fail", f"makes {text} {tensors[0].dtype}", advice)]
    if not all(torch.equal(a, b) for a, b in zip(tensors, again, strict=True)):
        advice = "Use the evaluation transform, without random crops, flips or colours."
        return None, [Check(name, "fail", "another result each time", advice)]
    checks = [Check(name, "pass", f"makes {text}, the same each time")]
    try:
        pickle.dumps(transform)
    except Exception as err:
        advice = "Use classes or functions of a module, not lambdas; else decoding needs workers 0."
        checks.append(Check("transform in workers", "warn", _first_line(err), advice))
    return torch.stack(tensors), [*checks, _check_normalisation(backbone, tensors)]


def _check_normalisation(backbone: VisionBackbone, tensors: list[Tensor]) -> Check:
    """Compare size, mean and standard deviation with what the checkpoint asks for.

    Both are measured: a black picture becomes -mean / std and a white one (1 - mean) / std.
    """
    name = "checkpoint's own transform"
    low, high = (tensor.double().mean(dim=(1, 2)) for tensor in tensors[:2])
    spread = max(float(tensor.std(dim=(1, 2)).max()) for tensor in tensors[:2])
    if len(tensors[0]) != 3 or spread > 1e-4 or not bool((high > low).all()):
        advice = "Check by hand that it is what the checkpoint was trained with."
        return Check(name, "warn", "not a fixed scaling of each channel", advice)
    std = 1 / (high - low)
    mean = -low * std
    height, width = tensors[0].shape[1:]
    found = _describe_config((3, height, width), mean.tolist(), std.tolist())
    config = _find_config(backbone)
    if config is None:
        return Check(name, "info", f"{found}; the backbone does not say what it should be")
    size, own_mean, own_std = (list(config[key]) for key in ("input_size", "mean", "std"))
    same = np.allclose([*mean, *std], [*own_mean, *own_std], atol=2e-3)
    if same and size[1:] == [height, width]:
        return Check(name, "pass", found)
    expected = _describe_config(size, own_mean, own_std)
    advice = "Return the transform that the checkpoint's own library makes for it."
    return Check(name, "fail", f"{found}; the checkpoint asks for {expected}", advice)


def _find_config(backbone: VisionBackbone) -> dict | None:
    """What the checkpoint asks for, as the adapter or a timm or OpenCLIP model inside it says."""
    if (own := backbone.data_config()) is not None:
        return own
    for module in backbone.modules():
        config = getattr(module, "pretrained_cfg", None)
        if isinstance(config, dict) and {"input_size", "mean", "std"} <= config.keys():
            return config
        config = getattr(module, "preprocess_cfg", None)
        if isinstance(config, dict) and {"size", "mean", "std"} <= config.keys():
            size = config["size"]
            sides = (size, size) if isinstance(size, int) else tuple(size)
            return {**config, "input_size": (3, *sides)}
    return None


def _describe_config(size, mean: list[float], std: list[float]) -> str:
    def describe(values: list[float]) -> str:
        return " ".join(f"{round(value, 3) + 0.0:.3f}" for value in values)

    return f"{size[1]} x {size[2]}, mean {describe(mean)}, std {describe(std)}"


def _check_raw(backbone: VisionBackbone, batch: Tensor, training: list[str]) -> list[Check]:
    """Mode, repeatability and independence of a batch, as the author left the backbone.

    training: the parts that were in training mode when it was made.
    """
    if training:
        value = f"made in training mode ({', '.join(training[:3])}{', …' * (len(training) > 3)})"
        advice = "Call self.eval() at the end of __init__; biobench's own loop does it for you."
        mode = Check("evaluation mode", "fail", value, advice)
    else:
        stays = not any(part.training for part in backbone.modules())
        advice = "" if stays else "Remove calls of train() from img_encode."
        value = "yes, and stays so" if stays else "img_encode switches it back to training"
        mode = Check("evaluation mode", "pass" if stays else "fail", value, advice)
    with _keep_tensors(backbone):
        repeat, alone = repeat_eval, alone_eval = _measure_distances(backbone, batch)
    if not max(repeat, alone) <= SAME:
        backbone.eval()
        with _keep_tensors(backbone):
            repeat_eval, alone_eval = _measure_distances(backbone, batch)
    cured = "Call self.eval() at the end of __init__: in evaluation mode it does not happen."
    stays = "It happens even in evaluation mode: look for {} in img_encode."
    random = stays.format("dropout or random numbers")
    mixing = stays.format("statistics over the batch (BatchNorm without running statistics)")
    if not repeat_eval <= SAME:
        mixing = "Cure the differences between passes first; they hide what the batch does."
    return [
        mode,
        _judge("two passes agree", repeat, cured if repeat_eval <= SAME else random),
        _judge("alone as in a batch", alone, cured if alone_eval <= SAME else mixing),
    ]


def _judge(name: str, distance: float, advice: str) -> Check:
    if np.isnan(distance):
        return Check(name, "fail", "fails on a picture alone, or makes NaN of it", advice)
    if distance <= SAME:
        return Check(name, "pass", f"relative difference {distance:.1e}")
    return Check(name, "fail", f"relative difference {distance:.1e}", advice)


def _measure_distances(backbone: VisionBackbone, batch: Tensor) -> tuple[float, float]:
    """How far two passes, and a picture alone and in a batch, are apart; NaN where it fails."""
    # Without the black and the white picture, on which a feature may be NaN for other reasons.
    batch = batch[2:6]
    try:
        first = _encode(backbone, batch).img_features
        repeat = agreement.distance(first, _encode(backbone, batch).img_features)
    except Exception:
        return float("nan"), float("nan")
    try:
        alone = [_encode(backbone, picture[None]).img_features for picture in batch]
        mates = _encode(backbone, batch.flip(0)).img_features.flip(0)
        return repeat, max(
            agreement.distance(torch.cat(alone), first), agreement.distance(mates, first)
        )
    except Exception:
        return repeat, float("nan")


def _check_shapes(encoded: EncodedImgBatch, n: int) -> list[Check]:
    features, patches = encoded.img_features, encoded.patch_features
    shape = tuple(features.shape)
    advice = "img_features must be floats of shape [batch, dim], one row an image."
    right = len(shape) == 2 and shape[0] == n and features.is_floating_point()
    value = f"{shape[1]} values, {str(features.dtype).removeprefix('torch.')}" if right else ""
    status = "pass" if right else "fail"
    checks = [Check("image features", status, value or f"shape {shape}", "" if right else advice)]
    if patches is None:
        return [*checks, Check("patch features", "info", "none")]
    shape = tuple(patches.shape)
    if len(shape) != 3 or shape[0] != n or not bool(patches.isfinite().all()):
        advice = "patch_features must be finite, [batch, n_patches, dim], or None."
        return [*checks, Check("patch features", "fail", f"shape {shape}", advice)]
    side = round(shape[1] ** 0.5)
    grid = f" ({side} x {side})" if side * side == shape[1] else ""
    return [*checks, Check("patch features", "pass", f"{shape[1]}{grid} of {shape[2]} values")]


def _check_finite(features: Float[Tensor, "n dim"]) -> Check:
    bad = (~features.isfinite()).any(dim=1).nonzero().flatten().tolist()
    if not bad:
        return Check("finite", "pass", "no NaN, no infinity, black and white pictures included")
    names = {0: "the black picture", 1: "the white picture"}
    shown = ", ".join(names.get(index, f"picture {index}") for index in bad[:4])
    advice = "Look for divisions by a norm or spread that can be zero, and overflows."
    return Check("finite", "fail", f"NaN or infinity for {len(bad)}: {shown}", advice)


def _check_spread(features: Float[Tensor, "n dim"]) -> Check:
    name = "not collapsed"
    values = features.double().cpu().numpy()
    values = values[np.isfinite(values).all(axis=1)]
    if len(values) < 3:
        return Check(name, "fail", "too few finite features to tell", "Cure NaN first.")
    spread = np.linalg.norm(values - values.mean(axis=0), axis=1).mean()
    relative = spread / max(np.linalg.norm(values, axis=1).mean(), 1e-12)
    rank = effective_rank(values)
    value = f"effective rank {rank:.1f} of at most {len(values) - 1}, spread {relative:.2g}"
    advice = "Different pictures get almost the same feature: are the weights loaded?"
    if relative < 1e-4 or rank < 1.5:
        return Check(name, "fail", value, advice)
    return Check(name, "warn" if rank < 2.5 else "pass", value, advice if rank < 2.5 else "")


def _check_half(backbone: VisionBackbone, batch: Tensor, name: str) -> Check:
    """Autocast against fp32, on two pictures."""
    title = f"{name} against fp32"
    if batch.device.type == "cpu" and name == "fp16":
        return Check(title, "info", "not run on a CPU, where biobench only runs fp32")
    dtype = agreement.DTYPES[name]
    batch = batch[2:4]
    try:
        exact = _encode(backbone, batch).img_features.float()
        with torch.autocast(batch.device.type, dtype=dtype):
            rough = _encode(backbone, batch).img_features.float()
    except Exception as err:
        return Check(title, "warn", f"fails: {_first_line(err)}", "Run with --precision fp32.")
    distance = agreement.distance(exact, rough)
    value = f"relative difference {distance:.1e}"
    if np.isnan(distance):
        return Check(title, "fail", "NaN or infinity", "Run with --precision fp32.")
    if distance > agreement.TOLERANCE[name]:
        return Check(title, "warn", value, "Run with --precision fp32.")
    return Check(title, "pass", value)


def _measure_cost(backbone: VisionBackbone, batch: Tensor) -> list[Check]:
    try:
        numbers = cost.measure(lambda pixels: _encode(backbone, pixels), backbone, batch[:4])
    except Exception as err:  # an author's code may raise anything
        return [Check("cost", "warn", f"cannot be measured: {_first_line(err)}")]
    rate, n = numbers.images_per_second, numbers.batch_size
    return [
        Check("parameters", "info", f"{numbers.n_parameters / 1e6:.2f} million"),
        Check("arithmetic", "info", f"{numbers.gflops:.2f} GFLOPs an image"),
        Check("speed", "info", f"{rate:.1f} images a second, {n} at a time, {batch.device}"),
        Check("memory", "info", f"{numbers.memory_mb:.0f} MB at most, {numbers.memory_of}"),
    ]


def _encode(backbone: VisionBackbone, batch: Tensor) -> EncodedImgBatch:
    # As in the loop: cuDNN rounds fp32 to TF32 unless told not to.
    with torch.inference_mode(), torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        encoded = backbone.img_encode(batch)
    if not isinstance(encoded, EncodedImgBatch):
        raise TypeError(f"img_encode returned {type(encoded).__name__}, not EncodedImgBatch")
    return encoded


@contextlib.contextmanager
def _keep_tensors(backbone: VisionBackbone) -> Iterator[None]:
    # In training mode a pass moves the running statistics of BatchNorm.
    buffers = {name: tensor.clone() for name, tensor in backbone.named_buffers()}
    try:
        yield
    finally:
        for name, tensor in backbone.named_buffers():
            tensor.copy_(buffers[name])


def _first_line(err: Exception) -> str:
    return f"{type(err).__name__}: {next(iter(str(err).splitlines()), '')}"[:120]
