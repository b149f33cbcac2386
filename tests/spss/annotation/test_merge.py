"""Taking another ledger's history over: each entry once, in order."""

import numpy as np

from spss.annotation import Ledger, Plane
from spss.annotation.merge import merge_history

NAMES = ("background", "liver")


def _draw(ledger, value, plane):
    label = np.full((3, 4, 5), value, np.uint8)
    ledger.record("a", label, [plane], class_names=NAMES, affine=np.eye(4))


def test_a_repeated_decision_is_taken_as_often_as_it_was_made(tmp_path):
    source, target = Ledger(tmp_path / "source"), Ledger(tmp_path / "target")
    for value in (0, 1, 0, 1):
        _draw(source, value, Plane(2, 1))
    # within one second the first and third, second and fourth entries say the very same
    merge_history(source, target, "a")
    folder = next((tmp_path / "target").iterdir())
    for path in sorted(folder.iterdir())[-2:]:
        path.unlink()  # an import that was interrupted before the last one
    merged = merge_history(source, Ledger(tmp_path / "target"), "a")
    assert (len(merged.added), merged.known) == (1, 3)
    now = Ledger(tmp_path / "target")
    assert [e.label_sha256 for e in now.history("a")] == [
        e.label_sha256 for e in source.history("a")
    ]
    assert now.sparse_label("a", NAMES).classes[0, 0, 1] == 1


def test_a_restore_follows_the_entry_it_names(tmp_path):
    source, target = Ledger(tmp_path / "source"), Ledger(tmp_path / "target")
    _draw(target, 1, Plane(0, 0))
    _draw(target, 1, Plane(0, 2))
    _draw(source, 1, Plane(2, 1))
    _draw(source, 1, Plane(2, 3))
    source.restore("a", source.history("a")[0].id)
    merge_history(source, target, "a")
    assert target.standing("a").planes == (Plane(0, 0), Plane(0, 2), Plane(2, 1))
    assert source.standing("a").planes == (Plane(2, 1),)
