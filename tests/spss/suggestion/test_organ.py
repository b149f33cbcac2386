import json

import numpy as np
import pytest

from spss.errors import InputError
from spss.suggestion import OrganSummary, summarise_organ
from spss.suggestion.organ import middle_of


def two_halves():
    classes = np.zeros((20, 24, 28), np.uint8)
    classes[5:15, 4:10, 6:21] = 1
    classes[5:15, 10:16, 6:21] = 2
    return classes


def test_the_family_that_cuts_both_classes_shows_two():
    organ = summarise_organ(two_halves(), spacing_mm=(1.0, 1.0, 2.0))
    assert organ.extent == ((5, 14), (4, 15), (6, 20))
    assert organ.broad == organ.extent
    assert organ.classes_shown == (2.0, 1.0, 2.0)
    assert organ.area_mm2 == pytest.approx((12 * 15 * 2.0, 10 * 15 * 2.0, 10 * 12))


def test_the_broad_part_leaves_out_where_the_organ_is_thin():
    classes = two_halves()
    classes[12:, 6:] = 0
    organ = summarise_organ(classes, spacing_mm=(1.0, 1.0, 1.0))
    assert organ.extent[0] == (5, 14)
    assert organ.broad[0] == (5, 11)


def test_no_foreground_has_no_summary():
    assert summarise_organ(np.zeros((3, 3, 3), np.uint8), spacing_mm=(1, 1, 1)) is None


def test_the_middle_is_three_fifths_and_never_empty():
    assert middle_of((0, 10)) == (2, 8)
    assert middle_of((4, 4)) == (4, 4)
    assert middle_of((4, 5)) == (4, 4)


def test_a_summary_survives_json_and_a_broken_one_is_refused():
    organ = summarise_organ(two_halves(), spacing_mm=(1, 1, 1))
    assert OrganSummary.from_json(json.loads(json.dumps(organ.to_json()))) == organ
    with pytest.raises(InputError, match="computed anew"):
        OrganSummary.from_json({"extent": [1]})
