"""The soak's comparison finds what is lost and what lies in a wrong image."""

import hashlib
import time

import numpy as np
import pytest

from spss.annotation import Ledger, Plane
from spss.studies import AuditLog, find_folders
from spss_apps.benchmarks.soak_annotator import Annotator
from spss_apps.benchmarks.soak_check import compare, names_in_log
from spss_apps.benchmarks.soak_figure import draw
from spss_apps.benchmarks.soak_memory import growth

NAMES = ("background", "front", "back")


@pytest.fixture
def drawn(tmp_path):
    """Two images with a drawing each, and what was acknowledged."""
    studies = tmp_path / "studies"
    studies.mkdir()
    folders = find_folders(str(studies))
    facts = []
    for number, image_id in enumerate(("a", "b")):
        label = np.random.default_rng(number).integers(0, 3, (6, 7, 8)).astype(np.uint8)
        entry = Ledger(folders.ledger).record(
            image_id, label, [Plane(2, 3)], class_names=NAMES, affine=np.eye(4), author="Ana"
        )
        AuditLog(folders.audit_file).write("submit", image=image_id)
        values = label[..., 3].tobytes().hex()
        assert entry.plane_sha256[0] == hashlib.sha256(bytes.fromhex(values)).hexdigest()
        facts.append(
            {"image": image_id, "entry": entry.id, "author": "Ana", "axis": 2, "index": 3}
            | {"values": values}
        )
    return studies, facts


def test_what_is_there_is_not_reported(drawn):
    found = compare(*drawn)
    assert found == {
        "lost": 0,
        "wrong_image": 0,
        "damaged_files": 0,
        "audit_lines": 2,
        "audit_problems": 0,
    }


def test_a_lost_drawing_and_one_in_a_wrong_image_are_counted(drawn):
    studies, facts = drawn
    next((studies / "spss" / "ledger").rglob(f"{facts[0]['entry']}.json")).unlink()
    assert compare(studies, facts)["lost"] == 1
    swapped = [{**facts[1], "image": "a"}]
    found = compare(studies, swapped)
    assert (found["lost"], found["wrong_image"]) == (1, 1)
    other = [{**facts[1], "author": "Bo"}]
    assert compare(studies, other)["lost"] == 1


def test_names_in_a_log_are_counted_by_line(tmp_path):
    log = tmp_path / "server.log"
    log.write_text("case_01 read\nnothing\nwrote case_01 and case_02\n", encoding="utf-8")
    assert names_in_log(log, ["case_01", "case_02"]) == 2


def test_the_figure_is_written(tmp_path):
    draw([(0, 0.5, 0.0), (60, 0.6, 0.4)], tmp_path / "memory.png")
    assert (tmp_path / "memory.png").stat().st_size > 1000


def test_memory_that_grows_after_the_start_shows():
    flat = [(5 * step, 1.0 if step < 60 else 1.5, 0.2) for step in range(360)]
    assert growth(flat) == {"after_5_minutes": 1.5, "in_the_end": 1.5, "highest": 1.5}
    leak = [(5 * step, 1 + step / 1000, 0.0) for step in range(360)]
    assert growth(leak)["in_the_end"] - growth(leak)["after_5_minutes"] == pytest.approx(
        0.287, abs=0.01
    )


def test_an_annotator_goes_on_for_the_least_time_but_never_beyond_the_longest(tmp_path):
    def annotator(**times):
        return Annotator(
            "", tmp_path, number=0, submits=1, propagate_every=5, pause_seconds=0, **times
        )

    now = time.monotonic()
    assert annotator(at_least=now - 1, deadline=now + 60)._goes_on()
    done = annotator(at_least=now - 1, deadline=now + 60)
    done.acknowledged.append({})
    assert not done._goes_on()
    early = annotator(at_least=now + 60, deadline=now + 90)
    early.acknowledged.append({})
    assert early._goes_on()
    assert not annotator(at_least=now - 9, deadline=now - 1)._goes_on()
