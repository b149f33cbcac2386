import numpy as np
import pytest
import torch

from spss.training.acceleration import Acceleration
from spss.training.case import PreparedCase
from spss.training.fingerprint import Fingerprint
from spss.training.plan import make_plan
from spss.training.validation import validation_dice
from spss.types import UNDECIDED

CPU = torch.device("cpu")


class _Sign(torch.nn.Module):
    """Says class 1 where the image is positive, and counts the voxels that it was shown."""

    def __init__(self):
        super().__init__()
        self.seen = 0

    def forward(self, image):
        self.seen += image.numel()
        return torch.cat([-image, image], dim=1)


@pytest.fixture
def plan():
    fingerprint = Fingerprint(
        np.asarray([[16, 16, 16]]), np.ones((1, 3)), np.linspace(0, 1, 50, dtype="f4"), {}
    )
    return make_plan(fingerprint, memory_gb=2.0)


def _case(shape, plane):
    """A random image; the plane across the first axis is annotated as its sign."""
    image = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    truth = torch.full(shape, UNDECIDED, dtype=torch.uint8)
    truth[plane] = (image[plane] > 0).to(torch.uint8)
    return PreparedCase("case", image, truth, None, torch.nonzero(truth != UNDECIDED))


def _dice(network, cases, plan):
    return validation_dice(
        network,
        cases,
        plan,
        class_count=2,
        acceleration=Acceleration("float32"),
        device=CPU,
    )


@pytest.mark.parametrize("plane", [0, 50, 99])
def test_only_what_lies_near_an_annotated_plane_is_predicted(plan, plane):
    network = _Sign()
    assert _dice(network, [_case((100, 16, 16), plane)], plan) == pytest.approx(1.0)
    assert network.seen <= 3 * 16**3


def test_voxels_of_all_cases_are_pooled_and_wrong_ones_count(plan):
    right, wrong = _case((16, 16, 16), 5), _case((16, 16, 16), 9)
    wrong.truth[9] = 1 - wrong.truth[9]
    whole = _dice(_Sign(), [right, wrong], plan)
    assert 0.4 < whole < 0.6
    assert _dice(_Sign(), [wrong], plan) == 0


def test_nothing_annotated_gives_no_number(plan):
    case = _case((16, 16, 16), 5)
    case.truth[:] = UNDECIDED
    empty = PreparedCase("empty", case.image, case.truth, None, torch.zeros((0, 3), dtype=int))
    assert _dice(_Sign(), [empty], plan) is None
