"""Small checkpoint files that stand for downloads, written by the tests themselves."""

import json
import pathlib

import timm
import torch

CLIP_CONFIG = {
    "embed_dim": 24,
    "vision_cfg": {"image_size": 64, "layers": 2, "width": 64, "head_width": 32, "patch_size": 16},
    "text_cfg": {"context_length": 8, "vocab_size": 50, "width": 32, "heads": 2, "layers": 1},
}
CLIP_TIMM_CONFIG = {
    **CLIP_CONFIG,
    "vision_cfg": {
        "timm_model_name": "test_vit",
        "timm_model_pretrained": False,
        "timm_pool": "",
        "timm_proj": "linear",
        "image_size": 160,
    },
    "custom_text": True,
}
CLIP_RESNET_CONFIG = {
    **CLIP_CONFIG,
    "vision_cfg": {"image_size": 64, "layers": [1, 1, 1, 1], "width": 16},
}
COCA_CONFIG = {
    **CLIP_CONFIG,
    "vision_cfg": {
        **CLIP_CONFIG["vision_cfg"],
        "attentional_pool": True,
        "attn_pooler_heads": 2,
        "output_tokens": True,
    },
    "text_cfg": {**CLIP_CONFIG["text_cfg"], "embed_cls": True, "output_tokens": True},
    "multimodal_cfg": {"width": 32, "heads": 2, "layers": 1, "context_length": 8},
    "custom_text": True,
}
CLIPS = {
    "tiny-clip": CLIP_CONFIG,
    "tiny-timm": CLIP_TIMM_CONFIG,
    "tiny-resnet": CLIP_RESNET_CONFIG,
    "tiny-coca": COCA_CONFIG,
}


def save_timm(folder: pathlib.Path, arch: str, **kwargs) -> pathlib.Path:
    """Write seeded random weights of `arch` and return the file."""
    torch.manual_seed(0)
    model = timm.create_model(arch, **kwargs)
    # Running statistics as after training, so that train and eval mode differ.
    for name, tensor in model.named_buffers():
        if name.endswith("running_mean"):
            tensor.normal_(std=0.1)
        elif name.endswith("running_var"):
            tensor.uniform_(0.5, 2.0)
    # Distinct registers and class tokens, else swapping them could not be seen.
    for name, parameter in model.named_parameters():
        if "token" in name or "norm" in name:
            parameter.data.add_(torch.randn_like(parameter) * 0.2)
        # Layer scales begin near zero, which would hide what the layers do.
        if "gamma" in name:
            parameter.data.fill_(1.0)
    path = folder / f"{arch}{len(kwargs)}.pt"
    torch.save(model.state_dict(), path)
    return path


def save_torchvision(folder: pathlib.Path, arch: str, **kwargs) -> pathlib.Path:
    """Write seeded random weights of a torchvision classifier and return the file."""
    from torchvision import models

    torch.manual_seed(0)
    model = models.get_model(arch, weights=None, **kwargs)
    for name, tensor in model.named_buffers():
        if name.endswith("running_mean"):
            tensor.normal_(std=0.1)
    path = folder / f"{arch}{len(kwargs)}.pt"
    torch.save(model.state_dict(), path)
    return path


def register_clips(folder: pathlib.Path) -> None:
    """Make the small CLIP architectures known to OpenCLIP."""
    import open_clip

    for name, config in CLIPS.items():
        (folder / f"{name}.json").write_text(json.dumps(config))
    open_clip.add_model_config(folder)


def save_clip(folder: pathlib.Path, arch: str) -> pathlib.Path:
    """Write seeded random weights of a small CLIP and return the file."""
    import open_clip

    torch.manual_seed(0)
    model = open_clip.create_model(arch)
    path = folder / f"{arch}.pt"
    torch.save(model.state_dict(), path)
    return path
