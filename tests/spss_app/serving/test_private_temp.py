"""Temporary files where nobody else can put a link in between."""

import os
import stat
import tempfile

import pytest

from spss_app.serving import private_temp
from spss_app.serving.private_temp import remove_private_temp, use_private_temp


@pytest.fixture
def shared(tmp_path, monkeypatch):
    """A temporary folder of all users."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(private_temp, "_mine", [])
    yield tmp_path
    remove_private_temp()


def test_what_the_endpoints_name_lies_in_a_folder_of_mode_0700(shared):
    folder = use_private_temp()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    with tempfile.NamedTemporaryFile() as file:
        assert file.name.startswith(f"{folder}/")
    assert os.environ["TMPDIR"] == str(folder)  # for the children
    assert use_private_temp() == folder


def test_the_end_leaves_nothing(shared):
    (use_private_temp() / "upload.nii.gz").touch()
    remove_private_temp()
    assert list(shared.iterdir()) == []
    assert tempfile.gettempdir() == str(shared)


def test_what_a_killed_server_left_is_removed_and_nothing_else(shared):
    (dead := shared / "spss-999999999-abcdefgh").mkdir()
    (alive := shared / f"spss-{os.getpid()}-abcdefgh").mkdir()
    (other := shared / "spss-orthanc-abcdefgh").mkdir()
    (shared / "spss-999999999-ijklmnop").symlink_to(other)
    use_private_temp()
    assert not dead.exists()
    assert alive.exists()
    assert other.exists()
