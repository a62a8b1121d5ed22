"""Equal digests mean equal features: two checkpoints never share, one under two names does."""

import copy
import functools
import importlib
import os
import subprocess
import sys

import numpy as np
import pytest
import timm
import torch
from torchvision import transforms

import tiny_backbones
from biobench import third_party_models
from biobench.features import BackboneSource, EmbedOptions, backbone_digest, code, digest
from biobench.features.digest import coarsen
from biobench.interfaces import EncodedImgBatch, VisionBackbone


class Wrapped(VisionBackbone):
    """Any network with any transform."""

    def __init__(self, net, transform):
        super().__init__()
        self.net, self.transform = net, transform

    def img_encode(self, batch):
        return EncodedImgBatch(self.net(batch), None)

    def make_img_transform(self):
        return self.transform


def make(transform=None, **options):
    torch.manual_seed(0)
    net = timm.create_model("test_vit", num_classes=0, **options)
    return Wrapped(net, transform or resize())


def resize(size=160, **options):
    return transforms.Compose([transforms.Resize((size, size), **options), transforms.ToTensor()])


def test_the_same_backbone_built_twice_has_the_same_digest():
    assert backbone_digest(make()) == backbone_digest(make())


def test_the_digest_is_the_same_in_another_process():
    code = (
        "import tiny_backbones; from biobench.features import backbone_digest;"
        "print(backbone_digest(tiny_backbones.TinyConv()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": os.pathsep.join(["tests", *sys.path]), "PYTHONHASHSEED": "7"},
    )
    assert done.stdout.strip() == backbone_digest(tiny_backbones.TinyConv())


def test_training_mode_does_not_matter():
    backbone = make()
    assert backbone_digest(backbone.eval()) == backbone_digest(backbone.train())


def flip_one_bit_of_a_weight(backbone):
    with torch.no_grad():
        weight = next(backbone.parameters()).view(-1)
        bits = weight[:1].numpy().view(np.uint32)
        bits ^= 1


def change_a_running_mean(backbone):
    backbone.net[1].running_mean += 1


def change_a_buffer_that_is_not_saved(backbone):
    backbone.register_buffer("scale", torch.ones(1), persistent=False)


def raise_the_adapters_version(backbone):
    backbone.adapter_version = "2"


def give_it_an_identity(backbone):
    backbone.cache_identity = lambda: "seed 3"


def pool_otherwise(backbone):
    backbone.pooling = "max"


@pytest.mark.parametrize(
    "change",
    [
        flip_one_bit_of_a_weight,
        change_a_running_mean,
        change_a_buffer_that_is_not_saved,
        raise_the_adapters_version,
        give_it_an_identity,
        pool_otherwise,
    ],
)
def test_whatever_decides_a_feature_changes_the_digest(change):
    backbone = tiny_backbones.TinyConv()
    before = backbone_digest(backbone)
    assert backbone_digest(copy.deepcopy(backbone)) == before
    change(backbone)
    assert backbone_digest(backbone) != before


def test_the_same_weights_in_another_architecture_are_another_key():
    gelu = make()
    quick = make(act_layer=timm.layers.QuickGELU)
    assert all(
        torch.equal(a, b)
        for a, b in zip(gelu.state_dict().values(), quick.state_dict().values(), strict=True)
    )
    assert backbone_digest(gelu) != backbone_digest(quick)


def test_precision_and_exif_are_part_of_the_key():
    backbone = make()
    digests = {
        backbone_digest(backbone),
        backbone_digest(backbone, precision="fp16"),
        backbone_digest(backbone, exif=True),
    }
    assert len(digests) == 3


def test_pooling_and_image_size_are_part_of_the_key_only_where_they_are_chosen():
    backbone = make()

    def get_digest(**chosen):
        options = EmbedOptions(device="cpu", precision="fp32", **chosen)
        return BackboneSource(backbone, options).digest

    assert get_digest(pool="default", image_size=0, trust=()) == backbone_digest(backbone)
    chosen = [{}, {"pool": "max"}, {"image_size": 32}, {"pool": "max", "image_size": 32}]
    assert len({get_digest(**one) for one in chosen}) == 4


class Divide:
    """A transform without a repr."""

    def __init__(self, by):
        self.by = by

    def __call__(self, image):
        return transforms.functional.to_tensor(image) / self.by


def to_tensor(image, by=1.0):
    return transforms.functional.to_tensor(image) / by


def divide_by(by):
    return lambda image: transforms.functional.to_tensor(image) / by


def test_every_transform_has_a_key_of_its_own_and_the_same_one_the_same():
    def make_all():
        return [
            resize(160),
            resize(161),
            resize(160, interpolation=transforms.InterpolationMode.NEAREST),
            transforms.Compose([transforms.Lambda(to_tensor)]),
            Divide(2),
            Divide(3),
            to_tensor,
            functools.partial(to_tensor, by=4.0),
            functools.partial(to_tensor, by=5.0),
            divide_by(6),
            divide_by(7),
            Divide(8).__call__,
        ]

    first = [backbone_digest(make(transform)) for transform in make_all()]
    assert len(set(first)) == len(first)
    assert [backbone_digest(make(transform)) for transform in make_all()] == first


def test_a_transform_that_refers_to_itself_has_a_digest():
    transform = Divide(1)
    transform.me = transform
    assert backbone_digest(make(transform)) == backbone_digest(make(transform))


def test_any_byte_of_the_module_file_that_changed_is_another_key(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    code = """
from biobench.interfaces import EncodedImgBatch
from tiny_backbones import TinyConv
class Mine(TinyConv):
    def img_encode(self, batch):
        return EncodedImgBatch(super().img_encode(batch).img_features * {factor}, None){comment}
"""
    digests = []
    for number, (factor, comment) in enumerate([(1, ""), (1, "  # a comment"), (2, "")]):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "edited_adapter.py").write_text(code.format(factor=factor, comment=comment))
        monkeypatch.syspath_prepend(folder)
        sys.modules.pop("edited_adapter", None)
        import edited_adapter

        digests.append(backbone_digest(edited_adapter.Mine()))
    sys.modules.pop("edited_adapter")
    assert len(set(digests)) == 3


ADAPTER = """
from tiny_backbones import TinyConv
from biobench.interfaces import EncodedImgBatch
{imports}
class Mine(TinyConv):
    def img_encode(self, batch):
        return EncodedImgBatch(scale(super().img_encode(batch).img_features), None)
"""
LAYOUTS = {
    "beside it": ("mine", {"mine.py": "from helper import scale"}, "helper.py"),
    "as a module": ("mine", {"mine.py": "import helper\nscale = helper.scale"}, "helper.py"),
    "through another": (
        "mine",
        {"mine.py": "from between import scale", "between.py": "from helper import scale"},
        "helper.py",
    ),
    "in its package": (
        "lab.mine",
        {"lab/__init__.py": "", "lab/mine.py": "from .helper import scale"},
        "lab/helper.py",
    ),
    "elsewhere in its package": (
        "lab.a.mine",
        {
            "lab/__init__.py": "",
            "lab/a/__init__.py": "",
            "lab/a/mine.py": "from ..b import helper\nscale = helper.scale",
            "lab/b/__init__.py": "",
        },
        "lab/b/helper.py",
    ),
    "in the module itself": ("mine", {}, "mine.py"),
}


def load_adapter(folder, layout, factor, monkeypatch):
    """The adapter's class, from files in `folder`; what its helper does depends on `factor`."""
    module, files, helper = LAYOUTS[layout]
    code = f"def scale(features):\n    return features * {factor}\n"
    for name, imports in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        is_adapter = name.endswith("mine.py")
        path.write_text(ADAPTER.format(imports=imports) if is_adapter else imports)
    path = folder / helper
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(ADAPTER.format(imports=code) if helper == "mine.py" else code)
    own = {"mine", "lab", "helper", "between"}
    for name in [name for name in sys.modules if name.partition(".")[0] in own]:
        del sys.modules[name]
    with monkeypatch.context() as patch:
        patch.syspath_prepend(folder)
        patch.setattr(sys, "dont_write_bytecode", True)
        return importlib.import_module(module).Mine


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_helper_beside_the_adapter_is_part_of_the_key(layout, tmp_path, monkeypatch):
    # What the network makes of the probe would tell them apart, too.
    monkeypatch.setattr(digest, "_encode_trial", lambda backbone, trial: b"")
    keys = []
    for number, factor in enumerate([2, 2, 3]):
        cls = load_adapter(tmp_path / str(number), layout, factor, monkeypatch)
        keys.append(backbone_digest(cls()))
    assert keys[0] == keys[1] != keys[2]


def test_what_is_installed_for_itself_is_no_part_of_an_adapters_code():
    files = code.list_code(tiny_backbones.TinyConv)
    assert list(files) == ["tiny_backbones.py"]
    folder = "biobench/third_party_models"
    names = set(code.list_code(third_party_models.Timm))
    assert {f"{folder}/timms.py", f"{folder}/weights.py"} <= names
    assert all(name.startswith(f"{folder}/") for name in names)


class Scaled(tiny_backbones.TinyConv):
    """Depends on something that no description shows."""

    hidden = 1.0

    def img_encode(self, batch):
        features = super().img_encode(batch).img_features
        return EncodedImgBatch(features * self.hidden, None)


def test_what_the_backbone_makes_of_the_trial_picture_is_part_of_the_key(monkeypatch):
    before = backbone_digest(Scaled())
    assert backbone_digest(Scaled()) == before
    monkeypatch.setattr(Scaled, "hidden", 1.5)
    assert backbone_digest(Scaled()) != before


def test_a_digest_leaves_the_backbone_and_the_random_numbers_as_they_were():
    backbone = tiny_backbones.AlwaysRandom()
    backbone.net[3].eval()
    modes = [module.training for module in backbone.modules()]
    state = torch.get_rng_state()
    assert backbone_digest(backbone) == backbone_digest(backbone)
    assert [module.training for module in backbone.modules()] == modes
    assert torch.equal(torch.get_rng_state(), state)


class NeedsAGpu(tiny_backbones.TinyConv):
    def img_encode(self, batch):
        raise RuntimeError("no CUDA")


def test_a_backbone_that_cannot_run_here_has_a_key_all_the_same():
    assert backbone_digest(NeedsAGpu()) == backbone_digest(NeedsAGpu())


def test_rounding_does_not_show_in_a_coarse_text_and_changes_do():
    rng = np.random.default_rng(0)
    n_rounded, n_changed = 0, 0
    for _ in range(200):
        vector = rng.standard_normal(384).astype(np.float32)
        noise = rng.standard_normal(384).astype(np.float32)
        told = coarsen(vector)
        n_rounded += coarsen(vector + 1e-7 * noise) != told
        n_changed += coarsen(vector + 0.1 * noise) != told
    assert n_rounded <= 1
    assert n_changed == 200
    assert coarsen(vector * 1.2) != told
    assert coarsen(vector[:0]) == coarsen(vector * 0) == b"zero"
    assert coarsen(vector * np.nan) == b"not finite"
