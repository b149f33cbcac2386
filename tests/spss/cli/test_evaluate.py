"""`spss evaluate`: a table for people, JSON for programs, broken files named."""

import json
from pathlib import Path

import numpy as np
import pytest

from spss.cli.main import main
from spss.datasets import Dataset, make_phantoms
from spss.volumes import read_grid, read_label, write_label


@pytest.fixture
def phantoms(tmp_path: Path) -> Dataset:
    return make_phantoms(tmp_path / "data", 3, shape=(14, 12, 10), spacing_mm=(1, 1, 2))


@pytest.fixture
def predictions(tmp_path: Path, phantoms: Dataset) -> Path:
    folder = tmp_path / "predictions"
    for case in phantoms.cases:
        assert case.label is not None
        shifted = np.roll(read_label(case.label), 1, axis=2)
        write_label(folder / case.label.name, shifted, like=read_grid(case.label))
    return folder


def test_table_and_json_agree(
    phantoms: Dataset, predictions: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "scores.json"
    labels = phantoms.root / "labelsTr"
    assert main(["evaluate", str(predictions), str(labels), "--json", str(out)]) == 0
    document = json.loads(out.read_text(encoding="utf-8"))
    printed = capsys.readouterr().out
    for name in ("front", "back", "mean"):
        mean = document["summary"][name]["dice"]["mean"]
        assert 0.4 < mean < 1
        assert f"{mean:.3f} ± {document['summary'][name]['dice']['interval']:.3f}" in printed
    assert document["summary"]["mean"]["hd95_mm"]["mean"] == pytest.approx(2, abs=0.6)
    assert set(document["cases"]) == {case.name for case in phantoms.cases}
    assert "3 cases" in printed


def test_classes_are_numbered_where_no_data_set_names_them(
    phantoms: Dataset, predictions: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (phantoms.root / "dataset.json").unlink()
    assert main(["evaluate", str(predictions), str(phantoms.root / "labelsTr")]) == 0
    printed = capsys.readouterr().out
    assert "class 1" in printed
    assert "class 2" in printed


def test_a_broken_prediction_is_skipped_and_named(
    phantoms: Dataset, predictions: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (predictions / "phantom_000.nii.gz").write_bytes(b"")
    grid = read_grid(predictions / "phantom_001.nii.gz")
    write_label(predictions / "phantom_001.nii.gz", np.full(grid.shape, 9, np.uint8), like=grid)
    out = tmp_path / "scores.json"
    labels = str(phantoms.root / "labelsTr")
    assert main(["evaluate", str(predictions), labels, "--json", str(out)]) == 0
    printed = capsys.readouterr()
    assert "skipped phantom_000" in printed.err
    assert "skipped phantom_001" in printed.err
    assert "1 cases, 2 skipped" in printed.out
    assert set(json.loads(out.read_text(encoding="utf-8"))["skipped"]) == {
        "phantom_000",
        "phantom_001",
    }


def test_nothing_to_score_is_an_error(
    phantoms: Dataset, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "none").mkdir()
    assert main(["evaluate", str(tmp_path / "none"), str(phantoms.root / "labelsTr")]) == 2
    assert "No label map in" in capsys.readouterr().err
