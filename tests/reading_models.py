"""Small models that read: a CLIP and a SigLIP of OpenCLIP with random weights, and pictures."""

import json
import pathlib

import numpy as np
import torch
from PIL import Image

CLIP = {
    "embed_dim": 24,
    "vision_cfg": {"image_size": 32, "layers": 1, "width": 64, "head_width": 32, "patch_size": 16},
    "text_cfg": {"context_length": 24, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1},
}
SIGLIP = {
    "embed_dim": 64,
    "init_logit_bias": -10,
    "custom_text": True,
    "vision_cfg": {
        "image_size": 160,
        "timm_model_name": "test_vit3",
        "timm_model_pretrained": False,
        "timm_pool": "map",
        "timm_proj": "linear",
    },
    "text_cfg": {
        **CLIP["text_cfg"],
        "no_causal_mask": True,
        "proj_bias": True,
        "pool_type": "last",
        "tokenizer_kwargs": {"clean": "canonicalize"},
    },
}
MODELS = {"reads-clip": CLIP, "reads-sig": SIGLIP}


def save_models(folder: pathlib.Path) -> dict[str, pathlib.Path]:
    """Make them known to OpenCLIP, and write seeded random weights of each."""
    import open_clip

    configs = folder / "configs"
    configs.mkdir()
    for name, config in MODELS.items():
        (configs / f"{name}.json").write_text(json.dumps(config))
    open_clip.add_model_config(configs)
    files = {}
    for name in MODELS:
        torch.manual_seed(0)
        files[name] = folder / f"{name}.pt"
        state = open_clip.create_model(name).state_dict()
        # As they are made, all pictures and all texts look alike to them.
        for key in state:
            if key.endswith(("conv1.weight", "patch_embed.proj.weight", "token_embedding.weight")):
                state[key] *= 50
            elif key.endswith(("class_embedding", "positional_embedding")):
                state[key] *= 0
            elif "attn" in key and key.endswith("weight"):
                state[key] *= 5
        torch.save(state, files[name])
    return files


def write_pictures(folder: pathlib.Path, labels: list[str], n: int = 4) -> list[tuple[str, str]]:
    """n blends of colours a class below `folder`/test; (path, label) of each."""
    rng = np.random.default_rng(0)
    made = []
    for label in labels:
        for number in range(n):
            path = folder / "test" / label / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            corners = Image.fromarray(rng.integers(0, 256, (2, 2, 3), dtype=np.uint8))
            pixels = np.asarray(corners.resize((48, 40), Image.Resampling.BICUBIC))
            Image.fromarray(pixels).save(path)
            made.append((path.relative_to(folder).as_posix(), label))
    return made
