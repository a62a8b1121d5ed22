"""The backbone of docs/backbones.md runs as it is printed there."""

import pathlib
import re
import runpy

import torch

from biobench import registry
from biobench.features.doctor import examine

DOCS = pathlib.Path(__file__).parents[2] / "docs" / "backbones.md"


def test_the_printed_backbone_runs_and_satisfies_the_doctor(tmp_path):
    (block,) = re.findall(r"```python\n(.*?)```", DOCS.read_text(), flags=re.DOTALL)
    script = tmp_path / "printed.py"
    script.write_text(block)
    torch.manual_seed(0)
    try:
        backbone = runpy.run_path(str(script))["backbone"]
        checks = examine(backbone, ("my-lab", "untrained"))
    finally:
        registry.BACKBONES.registered.pop("my-lab", None)
    assert not [check for check in checks if check.status in ("fail", "warn")]


def test_every_check_that_can_fail_is_explained():
    from biobench.registry import load_vision_backbone

    text = DOCS.read_text()
    backbone = load_vision_backbone("baseline", "color-hist")
    for check in examine(backbone, ("baseline", "color-hist")):
        if check.status != "info":
            assert check.name.removesuffix(" against fp32") in text
