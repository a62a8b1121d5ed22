"""How the tokens or the feature map of a timm model become one vector.

how, pooling = choose_pooling(model, "vit_base_patch16_dinov3.lvd1689m", "default")
pool_features(model, model.forward_features(batch), how)       # how is "cls"
"""

import typing

import torch
from jaxtyping import Float
from torch import Tensor

from biobench._backbone import Pooling
from biobench.errors import BadInput
from biobench.pooling_table import WORDS, find_row

__all__ = ["choose_pooling", "has_class_token", "name_own", "patch_tokens", "pool_features"]

UNTRAINED = 1e-4
"""timm makes class tokens of 1e-6; training moves them."""


def choose_pooling(model: typing.Any, ckpt: str, asked: str) -> tuple[str, Pooling]:
    """What `pool_features` is to be told for a checkpoint, and that in words.

    asked: as `--pool`; by "default" it is what the checkpoint's authors evaluate. A model that
    gives a feature map instead of tokens is set to the pooling, which then is its "own".
    Raises BadInput where the model cannot be pooled so.
    """
    if asked == "default":
        return _choose_authors(model, ckpt)
    if not _is_of_tokens(model):
        _pool_feature_map(model, ckpt, asked)
        return "own", Pooling(asked, WORDS[asked], "--pool")
    if not _can_pool(model, asked):
        lack = "class token" if asked == "cls" else "attention-pooling head"
        raise BadInput(f"'{ckpt}' has no {lack}; leave --pool {asked} out, or ask for mean or max.")
    return asked, Pooling(asked, WORDS[asked], "--pool")


def _choose_authors(model: typing.Any, ckpt: str) -> tuple[str, Pooling]:
    cfg = model.pretrained_cfg
    row = find_row("timm", f"{cfg['architecture']}.{cfg.get('tag') or ''}", ckpt)
    assert row is not None, "the last row matches all"
    own = name_own(model)
    # Of an architecture's variant that lacks the part, timm's choice is all there is.
    fits = row.pool != "own" and _can_pool(model, row.pool)
    pool = row.pool if fits else own
    note = f"; {row.note}" if row.note and (fits or row.pool == "own") else ""
    is_untrained = pool == "cls" and _is_untrained(model)
    advice = "The class token is as it was before training: use --pool mean." * is_untrained
    # What timm does anyway keeps the key that it has.
    return "own" if pool == own else pool, Pooling(pool, WORDS[pool] + note, row.source, advice)


def pool_features(model: typing.Any, features: Tensor, how: str) -> Float[Tensor, "batch dim"]:
    """One vector an image of what `forward_features` returned, as timm's head would make it.

    how: a pooling of `--pool`, or "own" for what timm pools by itself.
    """
    if how in ("own", "map"):
        return model.forward_head(features)
    n_prefix = model.num_prefix_tokens
    if how == "cls":
        vector = features[:, 0]
    elif how == "mean":
        vector = features[:, n_prefix:].mean(dim=1)
    else:
        vector = features[:, n_prefix:].amax(dim=1)
    # Where timm moved the last norm behind the pooling.
    return model.fc_norm(vector) if hasattr(model, "fc_norm") else vector


def patch_tokens(
    model: torch.nn.Module, features: object
) -> Float[Tensor, "batch n_patches dim"] | None:
    """The patches in what a timm model's `forward_features` returned; None where it has none."""
    own = {name for name, _ in model.named_parameters(recurse=False)}
    has_unmarked_prefix = not hasattr(model, "num_prefix_tokens") and any(
        name.startswith("cls_token") for name in own
    )
    # CoaT and PiT do not say which of their tokens are patches.
    if not isinstance(features, Tensor) or (features.ndim == 3 and has_unmarked_prefix):
        return None
    if features.ndim == 3:
        return features[:, getattr(model, "num_prefix_tokens", 0) :]
    if features.ndim == 4:
        if getattr(model, "output_fmt", "NCHW") == "NHWC":
            return features.flatten(1, 2)
        return features.flatten(2).transpose(1, 2)
    return None


def has_class_token(model: typing.Any) -> bool:
    """Whether the first token is a class token."""
    # Registers are prefix tokens too, so a prefix alone does not make a class token.
    if hasattr(model, "has_class_token"):
        return bool(model.has_class_token)
    if hasattr(model, "cls_token"):
        return model.cls_token is not None
    return model.num_prefix_tokens > 0


def name_own(model: typing.Any) -> str:
    """What timm pools by itself, in the words of `--pool`; "own" where it has no such name."""
    if getattr(model, "attn_pool", None) is not None:
        return "map"
    pool = getattr(model, "global_pool", None)
    if pool is None:
        head = getattr(model, "head", None)
        pool = getattr(head, "global_pool", getattr(head, "pool_type", None))
    # Of feature maps it may be a module.
    pool = getattr(pool, "pool_type", pool)
    names = {"token": "cls", "avg": "mean", "max": "max"}
    return names.get(pool, "own") if isinstance(pool, str) else "own"


def _is_of_tokens(model: typing.Any) -> bool:
    return hasattr(model, "num_prefix_tokens")


def _can_pool(model: typing.Any, pool: str) -> bool:
    if pool == "map":
        return getattr(model, "attn_pool", None) is not None
    if not _is_of_tokens(model):
        return False
    return pool != "cls" or has_class_token(model)


def _is_untrained(model: typing.Any) -> bool:
    token = getattr(model, "cls_token", None)
    return isinstance(token, Tensor) and bool(token.abs().max() < UNTRAINED)


def _pool_feature_map(model: typing.Any, ckpt: str, asked: str) -> None:
    if asked not in ("mean", "max"):
        raise BadInput(
            f"'{ckpt}' has neither a class token nor an attention-pooling head: "
            "use --pool mean, max or default."
        )
    try:
        model.reset_classifier(0, {"mean": "avg", "max": "max"}[asked])
    except (AssertionError, TypeError, ValueError) as err:
        raise BadInput(f"timm cannot pool '{ckpt}' by --pool {asked}; leave it out.") from err
