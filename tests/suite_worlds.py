"""The demo's small worlds of the wider suite, and what a test needs to score them by itself."""

import pathlib

import numpy as np
from sklearn.linear_model import LogisticRegressionCV
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from biobench import evaluate, registry
from biobench.demo import SuiteScale, generate_suite

MODEL = ("baseline", "color-hist")
SCALE = SuiteScale(classes=4, train=5, test=3)


def draw(folder: pathlib.Path, name: str) -> pathlib.Path:
    """The small world of one task."""
    generate_suite(folder, scale=SCALE, seed=1, n_jobs=1, names=[name])
    return folder / name


def make_args(name, root, **kwargs):
    kwargs = dict(datadir=str(root), device="cpu", n_workers=0) | kwargs
    return registry.load_task(name).Args(**kwargs)


def run(name, root, **kwargs):
    return registry.load_task(name).benchmark(make_args(name, root, **kwargs), MODEL)[1]


def load(name, root, **kwargs):
    return evaluate.prepare(registry.load_task(name), make_args(name, root, **kwargs)).data


def embed(name, root, images) -> np.ndarray:
    """Features of pictures below `root`, straight from the backbone."""
    unique = list(dict.fromkeys(map(str, images)))
    feats = evaluate.get_source(make_args(name, root), MODEL)(root, unique)
    at = {image: i for i, image in enumerate(unique)}
    index = np.array([at[str(image)] for image in images])
    return feats.take(np.arange(len(unique))).astype(np.float64)[index]


def fit_linear(x, y):
    """scikit-learn's own softmax regression, its penalty by five shuffled folds."""
    y = np.asarray(y)
    splits = list(StratifiedKFold(5, shuffle=True, random_state=42).split(x, y))
    search = LogisticRegressionCV(
        Cs=10, cv=splits, scoring="accuracy", tol=1e-6, max_iter=10_000, l1_ratios=(0.0,),
        use_legacy_attributes=False,
    )  # fmt: skip
    model = make_pipeline(StandardScaler(), search).fit(x, y)
    return model


def get_predictions(report):
    return {example.id: example.info["y_pred"] for example in report.examples}


def get_truths(report):
    return {example.id: example.info["y_true"] for example in report.examples}
