"""What is read back from an entry's file, which may have been edited or torn."""

import json

import pytest

from spss.annotation import Plane
from spss.annotation.entry import Entry
from spss.errors import InputError

ENTRY = Entry(
    "000001-a",
    "case 1",
    "planes",
    ("background", "front"),
    shape=(6, 7, 5),
    planes=(Plane(2, 3),),
    plane_sha256=("0" * 64,),
    label_file="000001-a.nii.gz",
    label_sha256="0" * 64,
)


def _edited(**changes):
    return json.dumps(json.loads(ENTRY.to_json()) | changes).encode()


def test_an_entry_is_read_back_as_it_was():
    assert Entry.from_json(ENTRY.to_json()) == ENTRY


@pytest.mark.parametrize(
    "changes",
    [
        {"shape": [6, 7]},
        {"shape": [6, 7, 5, 2]},
        {"shape": []},
        {"shape": 6},
        {"planes": [{"axis": 2, "index": 5}]},
        {"planes": [{"axis": 3, "index": 0}]},
        {"planes": [{"axis": -1, "index": 0}]},
        {"planes": []},
        {"plane_sha256": []},
        {"kind": "guess"},
        {"id": "first"},
        {"id": "000000-a"},
        {"label_file": "../outside.nii.gz"},
        {"format": 2},
        {"unheard_of": 1},
    ],
    ids=str,
)
def test_an_edited_entry_is_refused_in_one_sentence(changes):
    with pytest.raises(InputError) as refusal:
        Entry.from_json(_edited(**changes))
    assert "\n" not in str(refusal.value)
