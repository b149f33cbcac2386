from __future__ import annotations

import numpy as np
import pytest

from spss.annotation import Plane, SparseLabel
from spss.propagation import propagate
from spss.propagation.fusion import Fusion
from spss.propagation.joining import LEAST_SECTION, TRUSTED_SLICES, join, remoteness
from spss.propagation.pseudo_label import PseudoLabel

SHAPE = (4, 3, 3)


def _says(share, shape=SHAPE):
    return np.stack([np.full(shape, 1 - share), np.full(shape, share)]).astype(np.float32)


LONG = (20, 3, 3)


def _planes(share, reliability):
    return PseudoLabel(_says(share, LONG), np.full(LONG, reliability, np.float32))


def _network(share, *, agrees=True):
    """Says ``share`` of foreground everywhere, and on the drawn plane what was drawn, or not."""
    maps = _says(share, LONG)
    maps[:, 0] = [[[0.1]], [[0.9]]] if agrees else [[[0.9]], [[0.1]]]
    return maps


DRAWN = SparseLabel.from_planes(np.ones(LONG, np.uint8), [Plane(0, 0)])
SPACING_MM = (1.0, 0.1, 0.1)
"""The structure is small in the plane, so that slices decide how far it is trusted, not radii."""


def test_next_to_a_plane_the_plane_decides_and_far_away_the_network():
    joined = join(_planes(0.9, 0.95), _network(0.05), DRAWN, SPACING_MM)
    assert (joined.classes[:3] == 1).all()
    assert (joined.classes[-2:] == 0).all()
    np.testing.assert_allclose(joined.probabilities.sum(axis=0), 1, atol=1e-5)


def test_an_unreliable_plane_yields_to_the_network():
    assert (join(_planes(0.9, 0.1), _network(0.05), DRAWN, SPACING_MM).classes[1:] == 0).all()


def test_a_network_that_does_not_see_what_was_drawn_is_not_asked():
    """A model of another scanner must not spoil what propagation knows."""
    planes = _planes(0.9, 0.95)
    joined = join(planes, _network(0.05, agrees=False), DRAWN, SPACING_MM)
    np.testing.assert_allclose(joined.probabilities, planes.probabilities, atol=1e-5)
    np.testing.assert_allclose(joined.reliability, planes.reliability, atol=1e-5)


def test_a_structure_that_the_network_has_never_learned_stays_as_it_was_carried():
    """Somebody has begun to draw a second class since the model was trained."""
    label = np.zeros((20, 6, 6), np.uint8)
    label[:, :3], label[:, 3:5] = 1, 2
    maps = np.full((3, *label.shape), 0.03, np.float32)
    np.put_along_axis(maps, label[None].astype(int), 0.94, axis=0)
    planes = PseudoLabel(maps, np.full(label.shape, 0.9, np.float32))
    network = np.stack([np.where(label == 1, 0.02, 0.97), np.where(label == 1, 0.97, 0.02)])
    network = np.concatenate([network, np.full((1, *label.shape), 0.01)]).astype(np.float32)
    drawn = SparseLabel.from_planes(label, [Plane(0, 2)])

    joined = join(planes, network, drawn, SPACING_MM)

    np.testing.assert_array_equal(joined.classes, label)


def test_agreement_is_more_reliable_than_contradiction():
    agreed = join(_planes(0.9, 0.8), _network(0.9), DRAWN, SPACING_MM).reliability
    contradicted = join(_planes(0.9, 0.8), _network(0.1), DRAWN, SPACING_MM).reliability
    assert agreed[1:4].min() > contradicted[1:4].max()


@pytest.mark.parametrize(
    ("slice_mm", "radius", "slices"),
    [(9.0, 4, TRUSTED_SLICES), (1.0, 4, TRUSTED_SLICES), (0.25, 6, 36)],
    ids=["thick", "thin", "thinner than the structure needs"],
)
def test_a_plane_is_trusted_over_some_slices_or_radii(slice_mm, radius, slices):
    inside = np.hypot(*np.indices((20, 20)) - 10) < radius
    structure = np.broadcast_to(inside, (40, 20, 20))
    label = SparseLabel.from_planes(structure.astype(np.uint8), [Plane(0, 2)])

    found = remoteness(label, structure, 1, (slice_mm, 1, 1))

    assert found[2].max() == 0
    np.testing.assert_allclose(found[2 + slices], 1, atol=0.06)


def test_a_plane_that_cuts_a_structure_near_its_end_is_trusted_over_fewer_slices():
    structure = np.zeros((20, 10, 10), bool)
    structure[8:, :, :] = structure[:8, :, :4] = True
    end, middle = (
        SparseLabel.from_planes(structure.astype(np.uint8), [Plane(0, index)]) for index in (7, 8)
    )
    steps = 5
    near_end = remoteness(end, structure, 1, (1, 1, 1))[7 - steps].max()
    assert near_end == pytest.approx(steps / (0.4 * TRUSTED_SLICES))
    assert remoteness(middle, structure, 1, (1, 1, 1))[8 - steps].max() == pytest.approx(
        steps / TRUSTED_SLICES
    )


def test_a_plane_that_misses_a_structure_speaks_for_its_neighbours():
    structure = np.ones((20, 10, 10), bool)
    label = SparseLabel.from_planes(structure.astype(np.uint8), [Plane(0, 4)])
    never_drawn = remoteness(label, structure, 2, (1, 1, 1))
    assert never_drawn[5].max() == pytest.approx(1 / (TRUSTED_SLICES * LEAST_SECTION))


def test_of_crossing_planes_the_one_with_most_to_say_counts():
    structure = np.ones((10, 10, 10), bool)
    both = SparseLabel.from_planes(structure.astype(np.uint8), [Plane(0, 0), Plane(2, 9)])

    found = remoteness(both, structure, 1, (1, 1, 1))

    assert found[9, 0, 9] == found[0, 0, 0] == 0
    assert found[9, 0, 0] == pytest.approx(9 / TRUSTED_SLICES)
    assert found[2, 0, 0] == pytest.approx(2 / TRUSTED_SLICES)


def test_a_class_that_no_plane_shows_is_the_networks():
    """Of two structures one was drawn; that the other is missing in the plane says nothing."""
    image = np.random.default_rng(0).normal(0, 1, (20, 20, 20)).astype(np.float32)
    label = np.zeros(image.shape, np.uint8)
    label[2:10, 5:11, 5:11] = 1
    label[11:18, 5:11, 5:11] = 2
    image += 20 * (label == 1) + 40 * (label == 2)
    network = np.full((3, *image.shape), 0.05, np.float32)
    np.put_along_axis(network, label[None].astype(int), 0.9, axis=0)
    sparse = SparseLabel.from_planes(label, [Plane(0, 4)])

    result = propagate(
        image, sparse, spacing_mm=(1, 1, 1), class_count=3, network_probabilities=network, threads=1
    )

    assert (result.classes[11:18, 5:11, 5:11] == 2).mean() > 0.9
    assert (result.classes[3:9, 5:11, 5:11] == 1).mean() > 0.9


def test_the_draft_follows_the_network_where_nothing_was_carried():
    """A second organ, which the network sees at the other end of the volume, is not lost."""
    image = np.random.default_rng(0).normal(0, 1, (20, 20, 20)).astype(np.float32)
    label = np.zeros(image.shape, np.uint8)
    label[2:6, 5:11, 5:11] = 1
    image += 20 * label
    network = np.zeros((2, *image.shape), np.float32)
    network[1, 2:6, 5:11, 5:11] = network[1, 15:18, 5:11, 5:11] = 0.95
    network[0] = 1 - network[1]
    sparse = SparseLabel.from_planes(label, [Plane(0, 4)])

    result = propagate(
        image, sparse, spacing_mm=(1, 1, 1), class_count=2, network_probabilities=network, threads=1
    )

    assert (result.classes[15:18, 5:11, 5:11] == 1).mean() > 0.9
    np.testing.assert_array_equal(result.classes[4], label[4])


def test_the_nearer_of_two_planes_has_the_greater_say():
    fusion = Fusion(2, SHAPE)
    everywhere = (slice(0, 4), slice(0, 3), slice(0, 3))
    rising = np.array([1, 2, 3, 4], np.float32)[:, None, None]
    fusion.add(everywhere, _says(0.9), rising)
    fusion.add(everywhere, _says(0.1), rising[::-1])
    found = fusion.result(best_dice=False)
    assert (found.classes[:2] == 1).all()
    assert (found.classes[2:] == 0).all()


@pytest.mark.parametrize("looked", [True, False])
def test_silence_is_background_but_only_reliable_where_somebody_looked(looked):
    fusion = Fusion(2, SHAPE)
    if looked:
        fusion.look(0, slice(0, 4))
    found = fusion.result(best_dice=False)
    assert not found.classes.any()
    assert (found.reliability > 0.9).all() == looked
