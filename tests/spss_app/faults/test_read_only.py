"""Images in a folder that cannot be written: the annotations go into the user's own folder."""

import os
import shutil
import tempfile
from pathlib import Path

import pytest

from spss.annotation import Ledger
from spss_apps.benchmarks.kills_child import run_and_kill
from spss_apps.benchmarks.kills_store import make_studies, open_store

NOBODY = 65534

pytestmark = pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")


@pytest.fixture
def open_folder():
    """A folder that every user of the system may enter, unlike pytest's own."""
    folder = Path(tempfile.mkdtemp(prefix="spss-read-only-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def test_a_submit_finds_its_place_and_the_images_stay_untouched(open_folder, monkeypatch):
    studies = make_studies(open_folder / "studies")
    own = open_folder / "own"
    own.mkdir(mode=0o777)
    own.chmod(0o777)
    monkeypatch.setenv("XDG_DATA_HOME", str(own))
    monkeypatch.setenv("HOME", str(own))
    for path in (studies, *studies.rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)
    before = sorted(studies.rglob("*"))

    def submit(tell):
        if os.getuid() == 0:  # nothing is read-only for root
            os.setuid(NOBODY)
        store = open_store(studies)
        label = studies / "labelsTr" / "phantom_000.nii.gz"
        info = {"annotated_planes": [{"axis": 2, "index": 6}]}
        store.project.store.save_label("phantom_000", str(label), "final", info)
        tell({"ledger": str(store.project.ledger.root)})

    ended = run_and_kill(submit, None)
    for path in (studies, *studies.rglob("*")):
        path.chmod(0o755)
    assert not ended.failed
    ledger = Path(ended.told[0]["ledger"])
    assert own in ledger.parents
    assert len(Ledger(ledger).history("phantom_000")) == 1
    assert sorted(studies.rglob("*")) == before
