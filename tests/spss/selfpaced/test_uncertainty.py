import math

import pytest
import torch

from spss.errors import InputError
from spss.selfpaced import entropy, teacher_opinion


def test_entropy_is_zero_when_sure_and_log_c_when_clueless() -> None:
    sure = torch.tensor([1.0, 0.0, 0.0]).reshape(1, 3, 1, 1, 1)
    clueless = torch.full((1, 3, 1, 1, 1), 1 / 3)
    assert float(entropy(sure)) == 0.0
    assert float(entropy(clueless)) == pytest.approx(math.log(3))


def test_opinion_is_the_entropy_of_the_mean_over_passes() -> None:
    answers = [torch.tensor([9.0, -9.0]), torch.tensor([-9.0, 9.0])]
    calls = iter(answers)

    def undecided(view: torch.Tensor) -> torch.Tensor:
        return next(calls).reshape(1, 2, 1, 1, 1).expand(1, 2, *view.shape[2:])

    opinion = teacher_opinion(undecided, torch.zeros(1, 1, 2, 2, 2), passes=2)
    torch.testing.assert_close(opinion.probabilities, torch.full((1, 2, 2, 2, 2), 0.5))
    torch.testing.assert_close(opinion.uncertainty, torch.full((1, 2, 2, 2), math.log(2)))


def test_teacher_sees_the_view_itself_with_limited_noise() -> None:
    view, seen = torch.arange(64.0).reshape(1, 1, 4, 4, 4), []

    def teacher(noisy: torch.Tensor) -> torch.Tensor:
        seen.append(noisy)
        return torch.cat([noisy, -noisy], 1)

    teacher_opinion(teacher, view, passes=3, noise_std=1.0, noise_limit=0.2)
    assert len(seen) == 3
    for noisy in seen:
        assert 0 < float((noisy - view).abs().max()) <= 0.2 + 1e-6


def test_same_generator_same_opinion_and_no_gradient() -> None:
    conv = torch.nn.Conv3d(1, 3, 3, padding=1)
    view = torch.randn(2, 1, 5, 6, 4, generator=torch.Generator().manual_seed(0))
    first, second = (
        teacher_opinion(conv, view, passes=2, generator=torch.Generator().manual_seed(7))
        for _ in range(2)
    )
    assert torch.equal(first.uncertainty, second.uncertainty)
    assert not first.probabilities.requires_grad
    assert first.classes.shape == (2, 5, 6, 4)


def test_zero_passes_are_refused() -> None:
    with pytest.raises(InputError, match="at least one pass, got 0"):
        teacher_opinion(lambda view: view, torch.zeros(1, 1, 2, 2, 2), passes=0)
