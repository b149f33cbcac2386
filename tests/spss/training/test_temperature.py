import math

import numpy as np
import pytest
import torch

from spss.training.acceleration import Acceleration
from spss.training.case import PreparedCase
from spss.training.fingerprint import Fingerprint
from spss.training.plan import make_plan
from spss.training.temperature import fit_temperature
from spss.types import UNDECIDED

CPU = torch.device("cpu")
GAP = 10.0


class _Certain(torch.nn.Module):
    """Says class 1 where the image is positive, always equally sure of it."""

    def forward(self, image):
        return torch.cat([-image.sign(), image.sign()], dim=1) * GAP / 2


@pytest.fixture
def plan():
    fingerprint = Fingerprint(
        np.asarray([[16, 16, 16]]), np.ones((1, 3)), np.linspace(0, 1, 50, dtype="f4"), {}
    )
    return make_plan(fingerprint, memory_gb=2.0)


def _case(right, annotated_planes=16):
    """A volume on which `_Certain` is right in the given share of voxels."""
    generator = torch.Generator().manual_seed(0)
    classes = torch.randint(0, 2, (16, 16, 16), generator=generator)
    agrees = torch.rand(classes.shape, generator=generator) < right
    truth = torch.where(agrees, classes, 1 - classes).to(torch.uint8)
    truth[annotated_planes:] = UNDECIDED
    return PreparedCase("case", classes * 2.0 - 1, truth, None, torch.nonzero(truth != UNDECIDED))


def _fit(case, plan):
    return fit_temperature(_Certain(), [case], plan, acceleration=Acceleration(), device=CPU)


@pytest.mark.parametrize("right", [0.7, 0.9])
def test_afterwards_the_network_is_as_sure_as_it_is_right(plan, right):
    temperature = _fit(_case(right), plan)
    assert 1 / (1 + math.exp(-GAP / temperature)) == pytest.approx(right, abs=0.02)


def test_a_few_voxels_calibrate_nothing(plan):
    case = _case(0.8, annotated_planes=0)
    case.truth[0, 0, :10] = 1
    few = PreparedCase(
        case.name, case.image, case.truth, None, torch.nonzero(case.truth != UNDECIDED)
    )
    assert _fit(few, plan) is None


def test_nothing_held_out_calibrates_nothing(plan):
    assert fit_temperature(_Certain(), [], plan, acceleration=Acceleration(), device=CPU) is None
