"""The measurement of kills finds what a kill loses, and finds nothing where nothing is lost."""

import numpy as np
import pytest

from spss_apps.benchmarks.kills import kill_writers
from spss_apps.benchmarks.kills_child import run_and_kill
from spss_apps.benchmarks.kills_store import check, make_studies, open_store, write_without_end

pytestmark = pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")


def test_killed_writers_lose_nothing_that_was_acknowledged(tmp_path):
    found = kill_writers(tmp_path, 12, np.random.default_rng(1))
    assert found["kills"] == 12
    assert found["acknowledged"] > 0
    assert found["sentences"] == []


@pytest.fixture
def written(tmp_path):
    """A folder that a writer wrote to, and what it acknowledged."""
    studies = make_studies(tmp_path / "studies")
    told = run_and_kill(lambda tell: write_without_end(studies, 3, tell), 0.6).told
    facts = [fact for fact in told if "entry" in fact]
    assert facts
    verdict = check(studies, facts)
    assert verdict.unreadable + verdict.lost + verdict.behind == []
    return studies, facts


def test_a_lost_entry_is_found(written):
    studies, facts = written
    (path,) = (studies / "spss" / "ledger").rglob(f"{facts[0]['entry']}.json")
    path.unlink()
    assert check(studies, facts).lost == [f"{facts[0]['entry']} is gone"]


def test_another_drawing_and_a_damaged_label_are_found(written):
    studies, facts = written
    changed = {**facts[0], "values": facts[0]["values"][::-1] + "0"}
    assert "another drawing" in check(studies, [changed]).lost[0]
    (path,) = (studies / "spss" / "ledger").rglob(f"{facts[0]['entry']}.nii.gz")
    path.write_bytes(path.read_bytes()[:-4])
    assert check(studies, facts).unreadable


def test_a_torn_index_is_found(written):
    studies, facts = written
    index = studies / "datastore_v2.json"
    index.write_bytes(index.read_bytes()[:-20])
    assert "set aside" in check(studies, facts).unreadable[0]


def test_a_final_label_that_is_not_the_ledgers_is_found(written):
    studies, facts = written
    store = open_store(studies).project.store
    image_id = next(i for i in store.list_images() if store.get_label_uri(i, "final"))
    other = studies / "labelsTr" / "phantom_001.nii.gz"
    final = studies / "labels" / "final" / f"{image_id}.nii.gz"
    assert final.is_file()
    final.write_bytes(other.read_bytes())
    assert check(studies, facts).behind
