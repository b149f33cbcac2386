"""How much the network overrates itself, measured where it was not trained."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from scipy.optimize import minimize_scalar
from torch import Tensor, nn

from spss.networks.window import NOISE, NOISY_PASSES, noisy_mean, whole_or_window
from spss.training.acceleration import Acceleration
from spss.training.case import PreparedCase
from spss.training.plan import Plan
from spss.types import UNDECIDED

FEWEST_VOXELS = 200
"""Fewer annotated voxels than a small plane has say nothing about a probability."""

LARGEST = 20.0
"""Temperatures are looked for between 1/20 and 20."""


@torch.no_grad()
def fit_temperature(
    network: nn.Module,
    cases: Sequence[PreparedCase],
    plan: Plan,
    *,
    acceleration: Acceleration,
    device: torch.device,
) -> float | None:
    """Temperature T under which the held-out annotations are most likely.

    T minimises the mean of -log p_y with p ∝ q^(1/T), q the mean softmax of the noisy passes
    (Guo et al., "On calibration of modern neural networks", ICML 2017, section 4.2). Dividing by T
    changes no decision, only how sure it sounds.

    Args:
        network: the teacher.
        cases: held-out volumes; only their annotated voxels count.
        plan: of the training.
        acceleration: precision of the training.
        device: where the network is.

    Returns:
        T > 1 if the network is too sure of itself; None with fewer than ``FEWEST_VOXELS``
        annotated voxels.
    """
    network.eval()
    pairs = [
        _annotated(network, case, plan, acceleration, device) for case in cases if case.is_labelled
    ]
    if sum(len(truth) for _, truth in pairs) < FEWEST_VOXELS:
        return None
    log_probabilities = torch.cat([logs for logs, _ in pairs])
    truth = torch.cat([classes for _, classes in pairs])

    def loss(log_temperature: float) -> float:
        """Mean negative log-likelihood."""
        return float(F.cross_entropy(log_probabilities / math.exp(log_temperature), truth))

    bound = math.log(LARGEST)
    found = minimize_scalar(loss, bounds=(-bound, bound), method="bounded")
    return float(math.exp(found.x))


def _annotated(
    network: nn.Module,
    case: PreparedCase,
    plan: Plan,
    acceleration: Acceleration,
    device: torch.device,
) -> tuple[Tensor, Tensor]:
    """``(N, C)`` float32 log-probabilities and ``(N,)`` int64 classes of the annotated voxels."""
    noise = torch.Generator(device).manual_seed(0)
    near = case.near_annotation(plan.patch_size)
    with acceleration.autocast(device)():
        probabilities = whole_or_window(
            noisy_mean(network, NOISE, NOISY_PASSES, noise),
            case.image[near],
            patch=plan.patch_size,
            multiple=plan.architecture.total_stride,
            device=device,
        )
    truth = case.truth[near]
    decided = truth != UNDECIDED
    chosen = torch.from_numpy(probabilities)[:, decided].T
    return chosen.clamp_min(1e-12).log(), truth[decided].long()
