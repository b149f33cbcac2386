"""Runs that are kept in the repository come back as they were, and damage is named."""

import json
from argparse import ArgumentParser
from dataclasses import asdict

import pytest

from spss.errors import InputError
from spss_apps.benchmarks import kept_runs
from spss_apps.benchmarks.training_run import Run, code_digest


def _keep(*arguments):
    parser = ArgumentParser()
    kept_runs.add_arguments(parser)
    return kept_runs.run(parser.parse_args([str(each) for each in arguments]))


def _write(folder, seed, dice, code):
    run = Run(data="../Set", budget="1x2", axis=0, method="spss", seed=seed, minutes=2.0)
    folder.mkdir(parents=True, exist_ok=True)
    document = {"run": asdict(run), "code": code, "cases": {"a": {"dice": [dice]}}}
    (folder / f"{run.name}.json").write_text(json.dumps(document))


def test_saved_runs_come_back_and_other_studies_stay(tmp_path, capsys):
    here, there, file = tmp_path / "here", tmp_path / "there", tmp_path / "runs.jsonl"
    _write(here / "training", 0, 0.812345678, code_digest())
    (here / "scaling.json").write_text("[]")
    _keep("--save", "--folder", here, "--file", file)
    _write(there / "training", 1, 0.5, "older")
    _keep("--save", "--folder", there, "--file", file)
    assert capsys.readouterr().out.splitlines()[-1].startswith("2 runs, 1 of them of other code")
    empty = tmp_path / "empty"
    _keep("--restore", "--folder", empty, "--file", file)
    found = kept_runs.finished_runs(empty)
    assert [name[-5:] for _, name in found] == ["seed0", "seed1"]
    assert next(iter(found.values()))["cases"]["a"]["dice"] == [0.8123]


def test_a_later_run_of_the_same_name_replaces_the_earlier(tmp_path):
    file = tmp_path / "runs.jsonl"
    for dice in (0.1, 0.2):
        _write(tmp_path / "training", 0, dice, "x")
        _keep("--save", "--folder", tmp_path, "--file", file)
    (line,) = file.read_text().splitlines()
    assert json.loads(line)["document"]["cases"]["a"]["dice"] == [0.2]


def test_a_damaged_file_is_named_with_its_line(tmp_path):
    file = tmp_path / "runs.jsonl"
    file.write_text('{"study": "training"}\n')
    with pytest.raises(InputError, match="Line 1 of"):
        _keep("--restore", "--folder", tmp_path, "--file", file)


def test_comments_do_not_change_the_code_s_digest(tmp_path, monkeypatch):
    def digest(text):
        (tmp_path / "part.py").write_text(text)
        return code_digest()

    monkeypatch.setattr("spss.__file__", str(tmp_path / "__init__.py"))
    plain = digest("RATE = 0.1\n\ndef f():\n    return RATE\n")
    commented = '"""Part."""\nRATE = 0.1\n"""Of it."""\n\n'
    told = digest(commented + 'def f():\n    """Says it."""\n    return RATE  # so\n')
    assert told == plain
    assert digest("RATE = 0.2\n\ndef f():\n    return RATE\n") != plain
