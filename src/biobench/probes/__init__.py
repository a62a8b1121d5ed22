"""Probes: what is fitted on a frozen backbone's features. All are scikit-learn estimators.

from biobench import probes
probes.list_probes()                                  # names
probes.make("ridge", seed=42).fit(x, y).predict(z)    # one estimator
probes.fit_predict("svm", problems, n_jobs=8)         # many subtasks in parallel
"""

from biobench.probes._estimator import Probe
from biobench.probes.adamw_head import AdamWHead
from biobench.probes.calibration import LEAST as LEAST_TEMPERATURE
from biobench.probes.factory import (
    PROBES,
    answers_jointly,
    describe,
    get_rejected,
    list_probes,
    make,
    reads_text,
    register_probe,
)
from biobench.probes.fewshot import subset
from biobench.probes.fitting import ProbeOutput, Problem, fit_predict
from biobench.probes.folds import Folds
from biobench.probes.joint import fit_predict_jointly
from biobench.probes.knn import KNN
from biobench.probes.linear import LinearProbe
from biobench.probes.logistic import LogisticSearch
from biobench.probes.mlp import MultiLabelMlp
from biobench.probes.openset import UNKNOWN, OpenSet
from biobench.probes.retrieval import Retrieved, rank_others
from biobench.probes.ridge import RidgeSweep, RidgeSweepRegressor
from biobench.probes.simpleshot import CenterNormalize, SimpleShot
from biobench.probes.svc import LinearSvc
from biobench.probes.svm import SvmSearch
from biobench.probes.zeroshot import ZeroShot

__all__ = [
    "KNN",
    "LEAST_TEMPERATURE",
    "PROBES",
    "UNKNOWN",
    "AdamWHead",
    "CenterNormalize",
    "Folds",
    "LinearProbe",
    "LinearSvc",
    "LogisticSearch",
    "MultiLabelMlp",
    "OpenSet",
    "Probe",
    "ProbeOutput",
    "Problem",
    "Retrieved",
    "RidgeSweep",
    "RidgeSweepRegressor",
    "SimpleShot",
    "SvmSearch",
    "ZeroShot",
    "answers_jointly",
    "describe",
    "fit_predict",
    "fit_predict_jointly",
    "get_rejected",
    "list_probes",
    "make",
    "rank_others",
    "reads_text",
    "register_probe",
    "subset",
]
