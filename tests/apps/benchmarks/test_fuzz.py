"""The fuzzing benchmark: what it would notice."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from spss.errors import InputError
from spss_apps import benchmark
from spss_apps.benchmarks import fuzz, fuzz_schema, fuzz_server
from spss_apps.benchmarks.fuzz_server import is_stray


def test_every_file_that_is_opened_for_writing_is_written_down(tmp_path):
    (tmp_path / "sitecustomize.py").write_text(fuzz_server.WATCH, encoding="utf-8")
    (tmp_path / "read").write_text("x", encoding="utf-8")
    code = "import os; open('new', 'w').close(); open('read').close(); os.replace('new', 'moved')"
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "SPSS_FUZZ_LOG": "log"}
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, check=True)
    written = {
        Path(line).name for line in (tmp_path / "log").read_text(encoding="utf-8").splitlines()
    }
    assert {"new", "moved"} <= written
    assert "read" not in written


@pytest.mark.parametrize(
    ("path", "stray"),
    [
        ("studies/imagesTr/a.nii.gz", False),
        ("studies/.datastore_v2.json.1f.tmp", False),
        ("studies/x.py", True),
        ("app/lib/x.py", True),
        ("app/main.py", True),
        ("tmp/x", False),
        ("x", True),
        ("../x", True),
    ],
)
def test_a_file_where_the_server_has_no_business_is_a_stray(tmp_path, path, stray):
    assert is_stray(Path(os.path.abspath(tmp_path / path)), tmp_path) is stray


def test_known_values_stand_beside_random_ones():
    parameter = {"name": "tag", "schema": {"type": "string"}}
    fuzz_schema._offer(parameter, fuzz_schema.KNOWN["tag"])
    values, random = parameter["schema"]["anyOf"]
    assert "../final" in values["enum"]
    assert random == {"type": "string"}


def test_a_finding_makes_the_measurement_fail(tmp_path, monkeypatch, capsys):
    tool = tmp_path / "st"
    tool.touch()

    def found(mode, **_):
        return fuzz.Outcome(mode, 10, {"500": 1}, ("Server error: GET /x",), (), 0.1)

    monkeypatch.setattr(fuzz, "fuzz", found)
    out = tmp_path / "out.json"
    options = ["--schemathesis", str(tool), "--mode", "plain", "--out", str(out)]
    assert benchmark.main(["fuzz", *options]) == 1
    assert "Server error: GET /x" in capsys.readouterr().out
    assert json.loads(out.read_text(encoding="utf-8"))[0]["requests"] == 10


def test_a_missing_tool_is_named(tmp_path):
    tool = tmp_path / "nothing"
    assert benchmark.main(["fuzz", "--schemathesis", str(tool)]) == 2
    with pytest.raises(InputError, match="nothing"):
        fuzz.run(_arguments(tool))


def _arguments(tool):
    import argparse

    parser = argparse.ArgumentParser()
    fuzz.add_arguments(parser)
    return parser.parse_args(["--schemathesis", str(tool)])
