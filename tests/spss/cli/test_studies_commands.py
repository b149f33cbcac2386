"""``spss export``, ``import``, ``history`` and ``restore`` from the command line."""

import json

import numpy as np
import pytest

from spss.annotation import Ledger, Plane
from spss.cli.main import main
from spss.studies import AuditLog, find_folders
from spss.volumes import write_map
from spss.volumes.grid import Grid

NAMES = ("background", "liver")
GRID = Grid((3, 4, 5), np.eye(4))


@pytest.fixture
def studies(tmp_path):
    root = tmp_path / "there"
    root.mkdir()
    values = np.random.default_rng(0).normal(size=GRID.shape)
    write_map(root / "case_1.nii.gz", values, like=GRID)
    folders = find_folders(str(root))
    label = np.ones(GRID.shape, np.uint8)
    for author, index in (("Ana", 1), ("Bo", 3)):
        Ledger(folders.ledger).record(
            "case_1", label, [Plane(2, index)], class_names=NAMES, affine=np.eye(4), author=author
        )
    return folders


def _audit(folders):
    return [(line["action"], line["image"]) for line in AuditLog(folders.audit_file).lines()]


def test_a_studies_folder_leaves_and_comes_back(studies, tmp_path, capsys):
    out, here = tmp_path / "Dataset001_x", tmp_path / "here"
    here.mkdir()
    assert main(["export", studies.address, str(out), "--format", "nnunet"]) == 0
    assert "1 images, 1 with a label" in capsys.readouterr().out
    assert main(["import", str(here), str(out)]) == 0
    said = capsys.readouterr().out
    assert "1 new images; 2 new versions" in said
    back = find_folders(str(here))
    assert Ledger(back.ledger).history("case_1") == Ledger(studies.ledger).history("case_1")
    assert _audit(studies) == [("export", "")]
    assert _audit(back) == [("import", "case_1")]


def test_versions_are_listed_and_restored(studies, capsys):
    assert main(["history", studies.address, "case_1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "Ana: axis 2 plane 1" in lines[1]
    assert "Bo: axis 2 plane 3" in lines[2]
    first = lines[1].split()[1]
    assert main(["restore", studies.address, "case_1", first, "--author", "Cy"]) == 0
    assert "annotated now: 1 plane " in capsys.readouterr().out
    ledger = Ledger(studies.ledger)
    assert ledger.standing("case_1").planes == (Plane(2, 1),)
    assert [entry.author for entry in ledger.history("case_1")] == ["Ana", "Bo", "Cy"]
    assert _audit(studies) == [("restore", "case_1")]
    assert main(["history", studies.address, "--json"]) == 0
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [version["in_force"] for version in told] == [True, False, False]
    assert main(["restore", studies.address, "case_1", "none"]) == 0
    assert ledger.standing("case_1").is_empty


def test_what_is_not_there_is_said_in_one_sentence(studies, tmp_path, capsys):
    empty = tmp_path / "empty"
    empty.mkdir()
    for arguments, words in (
        (["history", studies.address, "other"], "'other'"),
        (["restore", studies.address, "case_1", "000009-x"], "no entry"),
        (["export", str(empty), str(tmp_path / "o")], "Nothing is annotated"),
        (["import", str(empty), str(tmp_path / "none")], "dataset.json"),
        (["export", str(tmp_path / "gone"), str(tmp_path / "o")], "There is no folder"),
    ):
        assert main(arguments) == 2
        assert words in capsys.readouterr().err
