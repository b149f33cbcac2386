from __future__ import annotations

import numpy as np
import pytest

from spss.propagation.copying import CopyPropagator
from spss.propagation.evidence import FEATURES
from spss.propagation.familiarity import Familiarity
from spss.propagation.learned_end import SHIPPED, Judged, LearnedEnd, load_end, save_end
from spss.propagation.perceptron import Perceptron
from spss.propagation.stack import DrawnSlice, Stack
from spss.propagation.view import make_view

COUNT = len(FEATURES)


def _says(logit, features=COUNT):
    """A perceptron that says the same of everything."""
    return Perceptron((np.zeros((features, 1), np.float32),), (np.array([logit], np.float32),))


@pytest.fixture(scope="module")
def view():
    """A bright disc through six slices, carried by copying."""
    row, column = np.mgrid[:32, :32]
    disc = (row - 16) ** 2 + (column - 16) ** 2 < 64
    slices = np.repeat(np.where(disc, 0.8, 0.2)[None], 6, 0).astype(np.float32)
    stack = Stack(slices, 1.0, (1.0, 1.0))
    drawn = DrawnSlice(2, np.stack([~disc, disc]).astype(np.float32), 0, 5)
    return make_view(stack, drawn, CopyPropagator().carry(stack, (drawn,))[0], 1)


class _Stranger:
    """Familiarity that finds everything equally strange."""

    def __init__(self, strangeness):
        self.strange = strangeness

    def strangeness(self, description):
        assert description.shape == (2 * len(FEATURES),)
        return self.strange


@pytest.mark.parametrize("strangeness", [0.0, 0.25, 1.0])
def test_the_perceptron_that_knows_the_structure_is_asked(view, strangeness):
    opinion = LearnedEnd(_says(3), _says(-3), _Stranger(strangeness)).look(view)
    assert opinion.strangeness == strangeness
    assert opinion.logits[2, 16, 16] == pytest.approx(3 - 6 * strangeness, abs=1e-4)


def test_a_slice_is_as_strange_as_the_mean_of_its_classes(view):
    known, strange = (LearnedEnd(_says(1), _says(1), _Stranger(each)).look(view) for each in (0, 1))
    assert Judged((known, None, strange), (32, 32)).strangeness == 0.5


def test_constants_are_read_as_they_were_written(tmp_path):
    shipped = load_end(SHIPPED)
    save_end(shipped, tmp_path / "end.npz")
    again = load_end(tmp_path / "end.npz")
    samples = np.random.default_rng(0).normal(size=(5, len(FEATURES))).astype(np.float32)
    np.testing.assert_array_equal(again.special(samples), shipped.special(samples))
    np.testing.assert_array_equal(again.general(samples), shipped.general(samples))
    np.testing.assert_array_equal(again.familiarity.known, shipped.familiarity.known)


def test_constants_of_another_version_are_refused(tmp_path):
    old = LearnedEnd(_says(0, 3), _says(0, 3), Familiarity(np.zeros((1, 6), np.float32)))
    save_end(old, tmp_path / "old.npz")
    with pytest.raises(ValueError, match="fit it again"):
        load_end(tmp_path / "old.npz")
