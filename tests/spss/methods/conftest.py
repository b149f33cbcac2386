from collections.abc import Callable

import pytest
import torch

from spss.methods.batch import Batch
from spss.types import UNDECIDED

SHAPE = (16, 8, 8)


@pytest.fixture
def volumes() -> Callable[..., Batch]:
    """Makes batches; see `bars`."""
    return bars


def bars(labelled: int = 1, unlabelled: int = 1, classes: int = 3) -> Batch:
    """A bar of two classes; labelled volumes have plane 4 annotated and exact propagation."""
    count = labelled + unlabelled
    anatomy = torch.zeros(SHAPE).long()
    anatomy[:, 2:6, 2:4] = 1
    anatomy[:, 2:6, 4:6] = classes - 1
    known = (torch.arange(count) < labelled).float().reshape(count, 1, 1, 1)
    truth = torch.full((count, *SHAPE), UNDECIDED)
    truth[:labelled, 4] = anatomy[4]
    steps = (torch.arange(SHAPE[0]).float() - 4).abs()[:, None, None].expand(count, *SHAPE)
    noise = torch.randn(count, 1, *SHAPE, generator=torch.Generator().manual_seed(0))
    return Batch(
        names=tuple(f"v{i}" for i in range(count)),
        image=anatomy.float() + 0.1 * noise,
        truth=truth,
        valid=torch.ones(count, *SHAPE, dtype=torch.bool),
        pseudo_label=torch.nn.functional.one_hot(anatomy, classes).movedim(-1, 0)[None].float()
        * known[:, None],
        reliability=0.9 * known.expand(count, *SHAPE),
        distance=torch.where(known > 0, steps, torch.inf),
        spacing_mm=(1.0, 1.0, 1.0),
    )
