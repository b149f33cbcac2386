"""What --conf can set, and where the folders are."""

import json
import os
import subprocess
import sys

import pytest

from spss.errors import InputError
from spss_app.cli_app import make_app_folder
from spss_app.options import AppOptions, parse_labels
from spss_app.studies import find_studies
from spss_app.task_classes import TaskClasses


@pytest.mark.parametrize(
    "value",
    [
        "liver,spleen",
        " liver , spleen ",
        '["liver", "spleen"]',
        '{"spleen": 2, "liver": 1}',
        ["background", "liver", "spleen"],
        "background,liver,spleen",
    ],
)
def test_labels_can_be_written_in_several_ways(value):
    assert parse_labels(value) == ("liver", "spleen")


@pytest.mark.parametrize("value", ["", "background", "a,a", '["a"', "{}"])
def test_labels_that_name_nothing_are_refused(value):
    with pytest.raises(InputError):
        parse_labels(value)


@pytest.mark.parametrize(
    "conf",
    [
        {"annotations": "maybe"},
        {"axis": "4"},
        {"layout": "x"},
        {"held_out": "2"},
        {"lease_minutes": "soon"},
    ],
)
def test_unusable_options_are_refused_at_start(conf):
    with pytest.raises(InputError, match=next(iter(conf))):
        AppOptions.from_conf(conf)


def test_foreign_options_are_left_to_monai_label():
    assert AppOptions.from_conf({"models": "x", "axis": "1"}) == AppOptions(axis="1")


@pytest.mark.parametrize(
    "labels",
    [
        {"0": "background", "1": "liver", "2": "spleen"},
        {"background": 0, "liver": 1, "spleen": 2},
        {"1": "liver", "0": "Background", "2": "spleen"},
    ],
)
def test_classes_come_from_the_data_set(tmp_path, labels):
    (tmp_path / "dataset.json").write_text(json.dumps({"labels": labels}), encoding="utf-8")
    classes = TaskClasses((), tmp_path / "dataset.json", tmp_path / "classes.json")
    assert classes.names == ("background", "liver", "spleen")
    configured = TaskClasses(("x",), tmp_path / "dataset.json", tmp_path / "classes.json")
    assert configured.foreground == ["x"]


@pytest.mark.parametrize("text", ["", "[]", '{"labels": [1]}', '{"labels": {"0": "b", "5": "x"}}'])
def test_a_broken_description_is_passed_over(tmp_path, text, caplog):
    (tmp_path / "dataset.json").write_text(text, encoding="utf-8")
    assert TaskClasses((), tmp_path / "dataset.json", tmp_path / "classes.json").names == ()
    assert "passed over" in caplog.text


def test_a_decathlon_folder_is_recognised(tmp_path):
    (tmp_path / "imagesTr").mkdir()
    assert find_studies(str(tmp_path), AppOptions()).images == tmp_path
    (tmp_path / "dataset.json").write_text("{}", encoding="utf-8")
    assert find_studies(str(tmp_path), AppOptions()).images == tmp_path / "imagesTr"
    assert find_studies(str(tmp_path), AppOptions(layout="flat")).images == tmp_path


def test_an_address_and_a_read_only_folder_write_into_the_users_data(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    remote = find_studies("http://pacs:8042/dicom-web", AppOptions())
    assert remote.is_dicomweb
    assert remote.ledger.is_relative_to(tmp_path / "data" / "spss")
    other = find_studies("http://pacs:8043/dicom-web", AppOptions())
    assert other.workspace != remote.workspace
    monkeypatch.setattr(os, "access", lambda *_: False)
    local = find_studies(str(tmp_path), AppOptions())
    assert local.workspace.is_relative_to(tmp_path / "data" / "spss")
    asked = find_studies(str(tmp_path), AppOptions(ledger=str(tmp_path / "ours")))
    assert asked.ledger == tmp_path / "ours"


def test_an_app_folder_holds_two_small_files(tmp_path):
    folder = make_app_folder(tmp_path / "app")
    assert sorted(path.name for path in folder.iterdir()) == ["README.md", "main.py"]
    (folder / "main.py").write_text("old", encoding="utf-8")
    make_app_folder(folder)
    assert "SpssApp" in (folder / "main.py").read_text(encoding="utf-8")


def test_an_app_folder_that_cannot_be_made_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("x", encoding="utf-8")
    with pytest.raises(InputError, match="cannot be written"):
        make_app_folder(tmp_path / "file")


_LOAD = """
import runpy, sys, warnings
warnings.simplefilter("ignore")
sys.path.insert(0, "")
print(runpy.run_path("spss_app/main.py")["SpssApp"].__module__)
"""


def test_a_copy_in_the_working_directory_does_not_hide_the_package(tmp_path):
    make_app_folder(tmp_path / "spss_app")
    command = [sys.executable, "-c", _LOAD]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stdout.strip().endswith("spss_app.app"), done.stderr
