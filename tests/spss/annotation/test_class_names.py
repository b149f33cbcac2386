"""Classes are told apart by name."""

import numpy as np
import pytest

from spss.annotation import check_class_names, rename_classes
from spss.errors import InputError

LABEL = np.array([[[0, 1, 2, 255]]], np.uint8)


def test_values_follow_their_names():
    renamed = rename_classes(
        LABEL, ["background", "posterior", "anterior"], ["background", "anterior", "posterior"]
    )
    assert renamed.ravel().tolist() == [0, 2, 1, 255]


def test_a_name_in_use_that_is_unknown_is_refused():
    with pytest.raises(InputError, match="'tumour'"):
        rename_classes(LABEL, ["background", "organ", "tumour"], ["background", "organ"])


def test_an_unknown_name_without_voxels_does_no_harm():
    names = ["background", "posterior", "anterior", "spare"]
    renamed = rename_classes(LABEL, names, ["background", "anterior", "posterior"])
    assert renamed.ravel().tolist() == [0, 2, 1, 255]


def test_a_value_without_a_name_is_refused():
    with pytest.raises(InputError, match="value 2"):
        rename_classes(LABEL, ["background", "a"], ["background", "b", "a"])


@pytest.mark.parametrize(
    "names", [[], ["organ"], ["background", "a", "a"], ["background", " "], ["background"] * 2]
)
def test_names_that_cannot_name_values_are_refused(names):
    with pytest.raises(InputError):
        check_class_names(names)
