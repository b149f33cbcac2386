"""Contours, trust, content, diversity and what scoring leaves behind."""

import json
from dataclasses import replace

import numpy as np
import pytest

from spss.errors import InputError
from spss.suggestion import PlaneScores, ScoreNote, score_planes, summarise_content
from spss.suggestion.contour import contour_mm
from spss.suggestion.diversity import Diversity
from spss.suggestion.trust import expected_error, untrusted_share

SHAPE = (10, 12, 14)


def block():
    classes = np.zeros(SHAPE, np.uint8)
    classes[2:8, 3:6, 4:9] = 1
    return classes


def test_a_contour_is_as_long_as_the_rectangle_is_round():
    first, second, third = contour_mm(block(), (1.0, 2.0, 3.0))
    assert first[5] == 2 * (3 * 2.0 + 5 * 3.0)
    assert second[4] == 2 * (6 * 1.0 + 5 * 3.0)
    assert third[6] == 2 * (6 * 1.0 + 3 * 2.0)
    assert first[0] == 0


def test_the_border_between_two_classes_is_drawn_once():
    classes = block()
    classes[:, 5][classes[:, 5] == 1] = 2
    assert contour_mm(classes, (1.0, 1.0, 1.0))[0][5] == 2 * (3 + 5) + 5


def test_expected_error_is_the_error_of_voxels_that_are_wrong_as_often_as_they_say():
    classes, rng = block() > 0, np.random.default_rng(0)
    wrong = np.full(SHAPE, 0.2)
    entropy = -(wrong * np.log(wrong) + (1 - wrong) * np.log(1 - wrong)) / np.log(2)
    band = np.ones(SHAPE, bool)
    (error, _, _) = expected_error(classes, entropy.astype(np.float32), band, class_count=2)
    true = []
    for _ in range(300):
        truth = classes ^ (rng.random(SHAPE) < wrong)
        both = (truth & classes)[5].sum()
        true.append(1 - 2 * both / (truth[5].sum() + classes[5].sum()))
    assert error[5] == pytest.approx(np.mean(true), abs=0.02)


def test_a_sure_plane_without_foreground_is_no_error():
    entropy = np.full(SHAPE, 1e-6, np.float32)
    errors = expected_error(block() > 0, entropy, np.ones(SHAPE, bool), class_count=2)
    assert errors[0].max() < 0.01


def test_a_fifth_of_each_class_is_not_trusted():
    classes, rng = block(), np.random.default_rng(0)
    entropy = rng.random(SHAPE).astype(np.float32)
    band = classes > 0
    shares = untrusted_share(classes, entropy, band, class_count=2)
    assert shares[0][2:8].mean() == pytest.approx(0.2, abs=0.02)
    entropy[4] += 1
    assert untrusted_share(classes, entropy, band, class_count=2)[0].argmax() == 4


def test_content_is_where_structure_is():
    image = np.zeros((40, 30, 20), np.float32)
    image[10:30, 5:25, 4:16] = np.random.default_rng(0).normal(100, 20, (20, 20, 12))
    for (low, high), expected in zip(
        summarise_content(image), ((10, 29), (5, 24), (4, 15)), strict=True
    ):
        assert abs(low - expected[0]) <= 1
        assert abs(high - expected[1]) <= 1


def test_a_large_or_constant_image_has_content_too():
    assert summarise_content(np.zeros((300, 4, 5), np.float32)) == ((0, 299), (0, 3), (0, 4))


def test_far_volumes_weigh_more_and_chosen_ones_no_longer():
    diversity = Diversity([np.asarray([x], np.float32) for x in (0, 1, 5, 9)], [0])
    assert diversity.weights().argsort().tolist() == [0, 1, 2, 3]
    assert diversity.is_unlike(3)
    assert not diversity.is_unlike(1)
    diversity.add(3)
    assert diversity.weights().argmax() == 2


def test_without_features_or_annotations_all_volumes_weigh_alike():
    vectors = [np.asarray([x], np.float32) for x in (0, 1, 5)]
    assert (Diversity(vectors).weights() == 1).all()
    assert (Diversity([None, None], [0]).weights() == 1).all()
    mixed = Diversity([*vectors, None], [0]).weights()
    assert mixed[1] <= mixed[3] <= mixed[2]


@pytest.fixture
def note():
    scores = score_planes(
        block(), np.full(SHAPE, 0.1, np.float32), spacing_mm=(1, 1, 1), class_count=2
    )
    return ScoreNote("model 1", ("background", "organ"), scores, np.asarray([1.5, 2], np.float32))


def test_a_note_survives_json(note):
    again = ScoreNote.from_json(json.loads(json.dumps(note.to_json())))
    assert (again.model, again.class_names) == (note.model, note.class_names)
    np.testing.assert_array_equal(again.features, note.features)
    assert again.why_unusable(("background", "organ"), SHAPE) == ""


def test_a_note_for_other_classes_or_another_image_says_why_it_is_not_used(note):
    assert "organ" in note.why_unusable(("background", "liver"), SHAPE)
    assert "another shape" in note.why_unusable(note.class_names, (1, 2, 3))


@pytest.mark.parametrize("broken", [{}, {"model": 1, "classes": [], "scores": {}}, {"model": []}])
def test_a_broken_note_is_refused(broken):
    with pytest.raises(InputError, match="computed anew"):
        ScoreNote.from_json(broken)


def test_tables_of_planes_know_which_image_they_fit(note):
    assert note.scores.fits(SHAPE)
    assert not PlaneScores(note.scores.axes[::-1]).fits(SHAPE)
    short = replace(note.scores.axes[0], score=note.scores.axes[0].score[:-1])
    with pytest.raises(InputError, match="different lengths"):
        PlaneScores.from_json(PlaneScores((short, *note.scores.axes[1:])).to_json())
