import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from spss.errors import InputError
from spss.selfpaced import boundary_voxels, select_class_blind, select_class_wise


def ellipsoid(size: int = 20) -> tuple[torch.Tensor, torch.Tensor]:
    """Two images of an ellipsoid whose certainty grows with the distance to its boundary."""
    axis = torch.linspace(-1, 1, size)
    i, j, k = torch.meshgrid(axis, axis, axis, indexing="ij")
    signed = (i / 0.6) ** 2 + (j / 0.5) ** 2 + (k / 0.45) ** 2 - 1
    classes = (signed < 0).long().expand(2, -1, -1, -1)
    uncertainty = torch.exp(-signed.abs()).expand(2, -1, -1, -1)
    return uncertainty.clone(), classes


def test_class_blind_rule_takes_k_of_one_volume_from_the_whole_batch() -> None:
    uncertainty = torch.rand(4, 5, 6, 7, generator=torch.Generator().manual_seed(0))
    mask = select_class_blind(uncertainty, 0.5)
    assert int(mask.sum()) == math.floor(0.5 * 5 * 6 * 7)
    assert float(uncertainty[mask].max()) < float(uncertainty[~mask].min())


def test_class_blind_rule_starves_the_foreground_and_class_wise_does_not() -> None:
    uncertainty, classes = ellipsoid()
    share = classes.float().mean()
    blind = select_class_blind(uncertainty, 1.0)
    wise = select_class_wise(uncertainty, classes, 0.5, class_count=2)
    assert float(classes[blind].float().mean()) == 0.0
    assert float(classes[wise].float().mean()) == pytest.approx(float(share), abs=1e-3)


def test_every_class_of_every_image_gets_its_share_of_its_most_certain_voxels() -> None:
    generator = torch.Generator().manual_seed(1)
    uncertainty = torch.rand(3, 6, 5, 4, generator=generator)
    uncertainty[1] += 100  # a hopeless image keeps its share all the same
    classes = torch.randint(0, 4, (3, 6, 5, 4), generator=generator)
    mask = select_class_wise(uncertainty, classes, 0.3, class_count=4)
    for image in range(3):
        for index in range(4):
            members = classes[image] == index
            chosen = mask[image] & members
            assert int(chosen.sum()) == math.ceil(0.3 * int(members.sum()) - 1e-9)
            kept, left = uncertainty[image][chosen], uncertainty[image][members & ~chosen]
            assert float(kept.max()) <= float(left.min())


def test_boundary_voxels_get_a_share_of_their_own() -> None:
    uncertainty, classes = ellipsoid()
    boundary = boundary_voxels(classes, 2)
    without = select_class_wise(uncertainty, classes, 0.4, class_count=2)
    mixed = select_class_wise(uncertainty, classes, 0.4, class_count=2, boundary_rate=0.4)
    assert not (without & boundary).any()
    assert float(mixed[boundary].float().mean()) == pytest.approx(0.4, abs=0.02)


def test_ties_never_select_more_than_asked() -> None:
    tied = torch.ones(1, 4, 4, 4)
    tied[0, 3, 3, 1:] = 0.0  # three voxels surely belong to the selection
    mask = select_class_wise(tied, torch.zeros(1, 4, 4, 4).long(), 0.25, class_count=2)
    assert int(mask.sum()) == 16
    assert mask[0, 3, 3, 1:].all()


def test_invalid_voxels_are_never_selected() -> None:
    uncertainty, classes = ellipsoid()
    valid = torch.zeros(classes.shape, dtype=torch.bool)
    valid[:, :10] = True
    mask = select_class_wise(uncertainty, classes, 1.0, class_count=2, valid=valid)
    assert torch.equal(mask, valid)


def test_boundary_is_the_face_neighbours_of_another_class() -> None:
    classes = torch.zeros(1, 3, 3, 3).long()
    classes[0, 1, 1, 1] = 2
    expected = torch.zeros(1, 3, 3, 3, dtype=torch.bool)
    expected[0, 1, 1, :] = expected[0, 1, :, 1] = expected[0, :, 1, 1] = True
    assert torch.equal(boundary_voxels(classes, 3), expected)


@settings(deadline=None, max_examples=30)
@given(
    rate=st.floats(0, 1),
    shape=st.lists(st.integers(1, 5), min_size=1, max_size=3),
    class_count=st.integers(2, 5),
    seed=st.integers(0, 99),
)
def test_selection_is_monotone_in_the_rate_for_any_shape(
    rate: float, shape: list[int], class_count: int, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    uncertainty = torch.rand(2, *shape, generator=generator)
    classes = torch.randint(0, class_count, (2, *shape), generator=generator)
    less = select_class_wise(uncertainty, classes, rate / 2, class_count=class_count)
    more = select_class_wise(uncertainty, classes, rate, class_count=class_count)
    assert not (less & ~more).any()
    everything = select_class_wise(uncertainty, classes, 1.0, class_count=class_count)
    assert everything.all()


def test_bad_input_is_refused() -> None:
    with pytest.raises(InputError, match=r"selection rate must lie in 0…1, got 1\.5"):
        select_class_blind(torch.zeros(1, 2, 2, 2), 1.5)
    with pytest.raises(InputError, match="one class for each uncertainty"):
        select_class_wise(
            torch.zeros(1, 2, 2, 2), torch.zeros(1, 2, 2, 3).long(), 0.5, class_count=2
        )
    with pytest.raises(InputError, match=r"Classes must lie in 0…1, got 0…5"):
        boundary_voxels(torch.tensor([[0, 5]]), 2)
    with pytest.raises(InputError, match=r"Classes must lie in 0…1, got -1…0"):
        select_class_wise(torch.zeros(1, 2), torch.tensor([[0, -1]]), 0.5, class_count=2)
