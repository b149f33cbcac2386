from pathlib import Path

import pytest

from spss.cli.main import main


def test_the_printed_folder_holds_what_monailabel_loads(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["app", str(tmp_path / "my app")]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert Path(line) == tmp_path / "my app"
    assert "SpssApp" in (Path(line) / "main.py").read_text(encoding="utf-8")


def test_a_folder_that_cannot_be_written_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    assert main(["app", str(tmp_path / "file" / "app")]) == 2
    assert "cannot be written" in capsys.readouterr().err
