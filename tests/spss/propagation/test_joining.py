from __future__ import annotations

import numpy as np
import pytest

from spss.annotation import Plane, SparseLabel
from spss.propagation import propagate
from spss.propagation.fusion import Fusion
from spss.propagation.joining import join
from spss.propagation.pseudo_label import PseudoLabel

SHAPE = (4, 3, 3)


def _says(share, shape=SHAPE):
    return np.stack([np.full(shape, 1 - share), np.full(shape, share)]).astype(np.float32)


def _planes(share, reliability):
    return PseudoLabel(_says(share), np.full(SHAPE, reliability, np.float32))


def test_next_to_a_plane_the_plane_decides_and_far_away_the_network():
    distance = np.zeros(SHAPE, np.float32)
    distance[2:] = 100
    joined = join(_planes(0.9, 0.95), _says(0.1), distance, trusted_mm=10)
    assert (joined.classes[:2] == 1).all()
    assert (joined.classes[2:] == 0).all()
    np.testing.assert_allclose(joined.probabilities.sum(axis=0), 1, atol=1e-5)


def test_an_unreliable_plane_yields_to_the_network():
    near = np.zeros(SHAPE, np.float32)
    assert (join(_planes(0.6, 0.2), _says(0.05), near, trusted_mm=10).classes == 0).all()


def test_agreement_is_more_reliable_than_contradiction():
    near = np.full(SHAPE, 5, np.float32)
    agreed = join(_planes(0.9, 0.8), _says(0.9), near, trusted_mm=10).reliability
    contradicted = join(_planes(0.9, 0.8), _says(0.1), near, trusted_mm=10).reliability
    assert agreed.min() > contradicted.max()


def test_the_draft_follows_the_network_where_nothing_was_carried():
    """An organ the network sees at the other end of the volume is not lost."""
    image = np.random.default_rng(0).normal(0, 1, (20, 20, 20)).astype(np.float32)
    label = np.zeros(image.shape, np.uint8)
    label[2:6, 5:11, 5:11] = 1
    image += 20 * label
    network = np.zeros((2, *image.shape), np.float32)
    network[1, 15:18, 5:11, 5:11] = 0.95
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
