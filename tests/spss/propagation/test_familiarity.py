from __future__ import annotations

import numpy as np
import pytest

from spss.propagation.evidence import FEATURES
from spss.propagation.familiarity import NEAR, Familiarity, describe


@pytest.fixture(scope="module")
def familiarity():
    """Two kinds of structure, each described by 50 that differ a little."""
    rng = np.random.default_rng(0)
    kinds = np.repeat(rng.normal(0, 1, (2, 1, 52)), 50, axis=1).reshape(100, 52)
    return Familiarity((kinds + rng.normal(0, 0.1, kinds.shape)).astype(np.float32))


def test_a_structure_of_a_known_kind_is_not_strange(familiarity):
    assert familiarity.strangeness(familiarity.known[:50].mean(axis=0)) == 0
    assert familiarity.strangeness(familiarity.known[50:].mean(axis=0)) == 0


def test_a_structure_between_two_known_kinds_is_strange(familiarity):
    assert familiarity.strangeness(familiarity.known.mean(axis=0)) == 1


def test_strangeness_grows_with_distance(familiarity):
    kind, other = familiarity.known[:50].mean(axis=0), familiarity.known[50:].mean(axis=0)
    said = [familiarity.strangeness(kind + t * (other - kind)) for t in np.linspace(0, 0.5, 40)]
    assert (np.diff(said) >= 0).all()
    assert any(0 < each < 1 for each in said)


def test_a_channel_that_never_differed_does_not_decide(familiarity):
    known = familiarity.known.copy()
    known[:, 0] = 1
    description = known[0].copy()
    description[0] += 0.05
    assert Familiarity(known).strangeness(description) == 0


def test_only_voxels_near_the_structure_are_described():
    samples = np.random.default_rng(1).normal(size=(30, len(FEATURES))).astype(np.float32)
    samples[:, FEATURES.index("depth")] = NEAR - 1
    samples[:20, FEATURES.index("depth")] = 0
    np.testing.assert_allclose(describe(samples)[: len(FEATURES)], samples[:20].mean(0), rtol=1e-5)
