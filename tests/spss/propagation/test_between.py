import numpy as np
import pytest

from spss.annotation import Plane, SparseLabel
from spss.propagation import propagate
from spss.propagation.between import goes_on
from spss.propagation.opinion import drawn_slices

SPACING = (1.0, 1.0, 1.0)


def _disc(size=32, radius=6, value=1):
    rows, columns = np.ogrid[:size, :size]
    inside = (rows - size / 2) ** 2 + (columns - size / 2) ** 2 < radius**2
    return np.where(inside, value, 0).astype(np.uint8)


def test_a_class_goes_on_as_far_as_it_is_wide():
    disc = _disc(radius=6)
    assert goes_on(disc, disc, gap_mm=10, pixel_mm2=1) == {1}
    assert goes_on(disc, disc, gap_mm=14, pixel_mm2=1) == frozenset()
    assert goes_on(disc, disc, gap_mm=14, pixel_mm2=4) == {1}, "wider in millimetres"


def test_the_smaller_of_both_slices_decides_and_an_absent_class_does_not_go_on():
    assert goes_on(_disc(radius=6), _disc(radius=2), gap_mm=8, pixel_mm2=1) == frozenset()
    assert goes_on(_disc(value=1), _disc(value=2), gap_mm=1, pixel_mm2=1) == frozenset()
    assert goes_on(_disc(), np.zeros((32, 32), np.uint8), gap_mm=1, pixel_mm2=1) == frozenset()


def test_each_side_of_a_drawn_slice_is_judged_by_its_own_neighbour():
    truth = np.zeros((24, 32, 32), np.uint8)
    truth[4:10] = _disc()
    label = SparseLabel.from_planes(truth, [Plane(0, 4), Plane(0, 8), Plane(0, 12)])
    first, middle, last = drawn_slices(label, 0, 2, spacing_mm=SPACING)
    assert (first.goes_on_before, first.goes_on_after) == (frozenset(), {1})
    assert (middle.goes_on_before, middle.goes_on_after) == ({1}, frozenset())
    assert last.goes_on_before == frozenset()
    assert middle.goes_on(slice(6, 11)).tolist() == [[True, True, False, False, False]]


@pytest.mark.parametrize("end_rule", ["simple", "learned"])
def test_a_sudden_change_of_the_image_between_two_slices_does_not_end_a_structure(end_rule):
    """An artefact in one slice is no end of the organ when the organ is drawn behind it."""
    rng = np.random.default_rng(0)
    truth = np.zeros((13, 32, 32), np.uint8)
    truth[:] = _disc()
    image = truth * 1.0 + rng.normal(0, 0.05, truth.shape)
    image[6] = rng.normal(0.3, 0.05, (32, 32))
    planes = [Plane(0, 2), Plane(0, 10)]
    both, one = (
        propagate(
            image.astype(np.float32),
            SparseLabel.from_planes(truth, drawn),
            spacing_mm=SPACING,
            class_count=2,
            propagator="copy",
            end_rule=end_rule,
        )
        for drawn in (planes, planes[:1])
    )
    wanted = int((truth[6] > 0).sum())
    assert int((both.classes[6] > 0).sum()) > 0.8 * wanted
    assert int((one.classes[6] > 0).sum()) < 0.8 * wanted, "with nothing behind it, it might end"


def test_probabilities_still_sum_to_one_where_classes_have_different_shares():
    truth = np.zeros((11, 32, 32), np.uint8)
    truth[:] = _disc()
    truth[:, :, :14][truth[:, :, :14] > 0] = 2
    truth[8, truth[8] == 2] = 0
    image = truth.astype(np.float32)
    result = propagate(
        image,
        SparseLabel.from_planes(truth, [Plane(0, 2), Plane(0, 8)]),
        spacing_mm=SPACING,
        class_count=3,
    )
    assert np.allclose(result.probabilities.sum(axis=0), 1, atol=1e-4)
    assert result.probabilities.min() >= 0
