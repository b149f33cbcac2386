import io

import numpy as np
import pytest

from spss.annotation import Plane
from spss.volumes import Volume
from spss_apps.pictures import View, _pixels, comparison, learning_curve, plane_picture

RAS = np.diag([1.0, 1.0, 2.0, 1.0])
LPS = np.diag([-1.0, -1.0, 2.0, 1.0])


def size_of(png):
    import matplotlib.image

    height, width = matplotlib.image.imread(io.BytesIO(png)).shape[:2]
    return width, height


def marked(index):
    array = np.zeros((5, 6, 7), np.float32)
    array[index] = 1
    return array


def test_a_plane_lies_with_up_as_up_whatever_the_file_s_orientation():
    pixels, aspect = _pixels(marked((2, 5, 6)), RAS, Plane(0, 2))
    assert pixels.shape == (7, 6)
    assert pixels[6, 5] == 1
    assert aspect == pytest.approx(2.0)
    flipped, _ = _pixels(marked((2, 0, 6)), LPS, Plane(0, 2))
    np.testing.assert_array_equal(flipped, pixels)


def test_the_index_counts_along_the_stored_axis():
    array = marked((1, 3, 3))
    assert _pixels(array, LPS, Plane(0, 1))[0].any()
    assert not _pixels(array, LPS, Plane(0, 3))[0].any()


def test_pictures_are_png_and_grow_with_their_content():
    rng = np.random.default_rng(0)
    volume = Volume(rng.random((8, 9, 10)).astype(np.float32), RAS)
    classes = np.zeros((8, 9, 10), np.uint8)
    classes[2:6, 2:6, 2:6] = 2
    assert size_of(plane_picture(volume, classes, Plane(1, 4)))[0] > 100
    views = [View("image"), View("truth", classes=classes), View("map", map=volume.data)]
    one = size_of(comparison(volume, views, [("a", Plane(0, 3))]))
    two = size_of(comparison(volume, views, [("a", Plane(0, 3)), ("b", Plane(0, 4))]))
    assert two[0] == one[0]
    assert two[1] > one[1] + 100


def test_a_class_changes_the_picture():
    volume = Volume(np.zeros((8, 9, 10), np.float32), RAS)
    classes = np.zeros((8, 9, 10), np.uint8)
    empty = plane_picture(volume, classes, Plane(0, 3))
    classes[3, 2:6, 2:6] = 1
    assert plane_picture(volume, classes, Plane(0, 3)) != empty


def test_a_curve_of_one_round_can_be_drawn():
    png = learning_curve([5], {"front": [0.4], "mean": [0.4]}, [float("nan")])
    assert size_of(png)[0] > 300
