import json

import numpy as np
import pytest

from spss.errors import InputError
from spss.suggestion import PlaneScores, score_planes

SHAPE = (16, 18, 20)
MM = (1.0, 1.0, 1.0)


def two_organs():
    classes = np.zeros(SHAPE, np.uint8)
    classes[3:13, 3:13, 3:13] = 1  # large
    classes[3:6, 14:16, 15:17] = 2  # small
    return classes


def uncertain_in(*parts):
    uncertainty = np.zeros(SHAPE, np.float32)
    for part in parts:
        uncertainty[part] = 1.0
    return uncertainty


def score(classes, uncertainty=None, **options):
    return score_planes(classes, uncertainty, **{"spacing_mm": MM, "class_count": 3} | options)


def test_the_plane_with_the_uncertain_contour_scores_highest():
    scores = score(two_organs(), uncertain_in((7, slice(2, 14), slice(2, 14))))
    assert scores.axes[0].score.argmax() == 7
    assert scores.axes[0].least_certain[7] == 1


def test_a_small_structure_counts_like_a_large_one():
    small = score(two_organs(), uncertain_in((4, slice(12, 18), slice(13, 19))))
    large = score(two_organs(), uncertain_in((9, slice(1, 15), slice(1, 15))))
    # by voxels the small structure has a fiftieth of the uncertainty
    assert small.axes[0].score.max() > 0.7 * large.axes[0].score.max()
    assert small.axes[0].least_certain[4] == 2


def test_uncertainty_far_from_any_prediction_does_not_count():
    scores = score(two_organs(), uncertain_in((slice(15, 16), slice(0, 2), slice(0, 2))))
    assert scores.best() == 0


def test_uncertainty_across_thick_slices_does_not_count_as_surroundings():
    above = uncertain_in((slice(None), slice(None), 17))
    assert score(two_organs(), above).axes[2].score[17] > 0
    assert score(two_organs(), above, spacing_mm=(1, 1, 9)).axes[2].score[17] == 0


def test_disagreement_of_draft_and_prediction_is_worth_asking_about():
    draft = two_organs()
    draft[8, 3:13, 3:13] = 0
    scores = score(two_organs(), uncertain_in(), draft=draft)
    assert scores.axes[0].score.argmax() == 8
    assert scores.axes[0].disagreement[8] > 0.95
    assert scores.axes[0].disagreement[9] == 0


def test_probabilities_stand_in_for_the_uncertainty_map():
    classes = two_organs()
    probabilities = np.stack([classes == value for value in range(3)]).astype(np.float32)
    probabilities[:, 7] = 1 / 3
    scores = score(classes, probabilities=probabilities)
    assert scores.axes[0].score.argmax() == 7
    assert scores.axes[0].entropy[7] == pytest.approx(1.0, abs=1e-4)


def test_an_empty_prediction_scores_zero_everywhere():
    scores = score(np.zeros(SHAPE, np.uint8), uncertain_in((slice(None),) * 3))
    assert scores.best() == 0
    assert not scores.axes[1].least_certain.any()


def test_scores_survive_json():
    scores = score(two_organs(), np.random.default_rng(0).random(SHAPE).astype(np.float32))
    again = PlaneScores.from_json(json.loads(json.dumps(scores.to_json())))
    for ours, theirs in zip(scores.axes, again.axes, strict=True):
        np.testing.assert_allclose(ours.score, theirs.score, atol=1e-4)
        np.testing.assert_array_equal(ours.least_certain, theirs.least_certain)


def test_a_broken_table_is_refused():
    table = score(two_organs(), uncertain_in()).to_json()
    table["1"]["score"].pop()
    with pytest.raises(InputError, match="computed anew"):
        PlaneScores.from_json(table)
    with pytest.raises(InputError, match="computed anew"):
        PlaneScores.from_json({"0": {}})


def test_maps_of_other_shapes_are_refused():
    with pytest.raises(InputError, match="shape"):
        score(two_organs(), np.zeros((2, 2, 2), np.float32))
    with pytest.raises(InputError, match="draft"):
        score(two_organs(), uncertain_in(), draft=np.zeros((2, 2, 2), np.uint8))
    with pytest.raises(InputError, match="uncertainty map or its probabilities"):
        score(two_organs())
