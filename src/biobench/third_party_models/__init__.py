"""Backbones that biobench brings along, each a `VisionBackbone` made from a checkpoint's name.

    >>> from biobench.third_party_models import Baseline
    >>> backbone = Baseline("color-hog")
    >>> transform = backbone.make_img_transform()

| name        | class      | checkpoints                                                   |
|-------------|------------|---------------------------------------------------------------|
| `open-clip` | `OpenClip` | `ARCH/PRETRAINED`, `hf-hub:ORG/REPO`, `local:ARCH/PATH`       |
| `timm-vit`  | `TimmVit`  | ViTs of timm: `NAME[.TAG]`, `hf-hub:ORG/REPO`, `local:ARCH/PATH` |
| `timm`      | `Timm`     | any model of timm, written likewise                           |
| `hf`        | `Hf`       | models of transformers: `ORG/REPO[@REVISION]` or a folder     |
| `torchvision` | `TorchVision` | `NAME[.WEIGHTS]`, `local:ARCH/PATH`                       |
| `onnx`      | `Onnx`     | `PATH`, a network in ONNX, with a .toml beside it             |
| `torch-export` | `TorchExport` | `PATH`, one of torch.export, likewise                   |
| `baseline`  | `Baseline` | without weights: `color-hog`, `color-hist`, `hog`, `random-vit` |

Importing this package loads torch but neither timm, OpenCLIP, transformers, torchvision nor
scikit-image: each is loaded when a backbone that needs it is made. Besides the contract every class
has

- `check_ckpt(ckpt)`, a class method that raises `BadInput` where no checkpoint can have that name,
  without loading weights;
- `weights_source`, a sentence on where the weights came from;
- `data_config()`, the image size and normalisation that the checkpoint asks for.
"""

from biobench.third_party_models.baselines import Baseline
from biobench.third_party_models.exported import Onnx, TorchExport
from biobench.third_party_models.hf import Hf
from biobench.third_party_models.openclip import OpenClip
from biobench.third_party_models.timms import Timm, TimmVit
from biobench.third_party_models.torchvisions import TorchVision

__all__ = ["Baseline", "Hf", "Onnx", "OpenClip", "Timm", "TimmVit", "TorchExport", "TorchVision"]
