"""When two features of one picture are the same: one distance, and what each arithmetic may err.

distance(alone, in_a_batch) <= TOLERANCE["fp16"]
"""

import torch
from torch import Tensor

__all__ = ["DTYPES", "TOLERANCE", "distance"]

DTYPES = {"fp16": torch.float16, "bf16": torch.bfloat16}

TOLERANCE = {"fp32": 1e-3, "fp16": 0.02, "bf16": 0.1}
"""relative distance by precision: far above rounding, far below a batch statistic."""


def distance(a: Tensor, b: Tensor) -> float:
    """The largest relative distance of two rows [n ...]; NaN where a value is not finite."""
    a, b = a.flatten(1).double(), b.flatten(1).double()
    scale = torch.maximum(a.norm(dim=1), b.norm(dim=1)).clamp_min(1e-12)
    return float(((a - b).norm(dim=1) / scale).max())
