"""Names decide what a voxel value means, also where Slicer's numbers are off."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from spss.errors import InputError
from spss_app.submit.label_info import NOT_STRUCTURES, names_of_values, to_task_classes

CLASSES = ("background", "anterior", "posterior")


def _info(*pairs):
    return [{"name": name, "idx": index} for name, index in pairs]


def test_numbers_that_agree_with_the_voxels_are_used():
    assert names_of_values([1, 2], _info(("a", 1), ("b", 2))) == {1: "a", 2: "b"}


def test_slicers_rank_counts_where_a_skipped_segment_comes_first():
    # Slicer skipped "background" at index 1 and exported the others as 1 and 2
    assert names_of_values([1, 2], _info(("a", 2), ("b", 3)))[1] == "a"
    assert names_of_values([2], _info(("a", 2), ("b", 3)))[2] == "b"


def test_an_exact_match_with_the_listed_numbers_is_taken_as_such():
    assert names_of_values([2], _info(("posterior", 2))) == {2: "posterior"}
    assert names_of_values([5], _info(("posterior", 5))) == {5: "posterior"}


def test_numbers_in_another_order_than_slicers_are_voxel_values():
    assert names_of_values([1], _info(("b", 2), ("a", 1))) == {1: "a", 2: "b"}


def test_without_numbers_the_order_counts():
    assert names_of_values([2], [{"name": "a"}, {"name": "b"}])[2] == "b"


def test_a_value_without_a_name_is_refused():
    with pytest.raises(InputError, match="value 3"):
        names_of_values([3], _info(("a", 1), ("b", 2)))


@pytest.mark.parametrize(
    "info",
    [
        "a",
        {"name": "a"},
        [1],
        [{"idx": 1}],
        [{"name": ""}],
        [{"name": "a", "idx": "x"}],
        [{"name": "a", "idx": 1}, {"name": "a", "idx": 2}],
        [{"name": ["a"], "idx": 1}],
    ],
)
def test_malformed_lists_are_refused(info):
    with pytest.raises(InputError):
        names_of_values([1], info)


def test_nothing_listed_leaves_the_tasks_own_numbers():
    assert names_of_values([1, 2], None) == {}
    label = to_task_classes(np.array([[[0, 1, 2, 255]]]), {}, CLASSES)
    assert label.ravel().tolist() == [0, 1, 2, 255]
    with pytest.raises(InputError, match="value 3"):
        to_task_classes(np.array([[[3]]]), {}, CLASSES)


def test_labels_are_renumbered_by_name():
    label = to_task_classes(np.array([[[0, 1, 2]]]), {1: "posterior", 2: "anterior"}, CLASSES)
    assert label.ravel().tolist() == [0, 2, 1]


def test_an_unknown_name_is_refused_only_where_it_was_drawn():
    names = {1: "anterior", 2: "tumour"}
    assert to_task_classes(np.array([[[1]]]), names, CLASSES).ravel().tolist() == [1]
    with pytest.raises(InputError, match=r"'tumour'.*anterior, posterior"):
        to_task_classes(np.array([[[2]]]), names, CLASSES)


segments = st.lists(
    st.sampled_from([*NOT_STRUCTURES, "a", "b", "c", "d"]), min_size=1, max_size=7, unique=True
)


@given(segments, st.sets(st.integers(0, 6)))
def test_whatever_slicer_skips_every_drawn_structure_keeps_its_name(on_screen, drawn):
    """As the plugin does it: idx counts all segments, values count the exported ones."""
    exported = [name for name in on_screen if name not in NOT_STRUCTURES]
    info = [
        {"name": name, "idx": index}
        for index, name in enumerate(on_screen, start=1)
        if name not in NOT_STRUCTURES
    ]
    used = sorted({value + 1 for value in drawn if value < len(exported)})
    named = names_of_values(used, info)
    for value in used:
        assert named[value] == exported[value - 1]
