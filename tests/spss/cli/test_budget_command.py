import json
from pathlib import Path

import pytest

from spss.cli.main import main
from spss.datasets import make_phantoms, read_annotations


def test_budget_writes_a_file_that_can_be_read_back(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dataset = make_phantoms(tmp_path / "data", 6, shape=(12, 10, 8))
    out = tmp_path / "b.json"
    arguments = ["budget", str(dataset.root), "--plan", "2x3", "--axis", "1", "--seed", "4"]
    assert main([*arguments, "-o", str(out)]) == 0
    assert "6 planes in 3 training volumes" in capsys.readouterr().out
    assert len(read_annotations(out, dataset)) == 3
    assert set(next(iter(json.loads(out.read_text(encoding="utf-8")).values()))[0]) == {
        "axis",
        "index",
    }
