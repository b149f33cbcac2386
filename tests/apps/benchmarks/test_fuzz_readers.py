"""The fuzzing of the readers: its seeds are real, and what it would notice."""

import json

import pytest

from spss.annotation import Ledger
from spss.errors import InputError
from spss.studies import AuditLog
from spss_apps import benchmark
from spss_apps.benchmarks import fuzz_label, fuzz_readers, fuzz_readers_child, fuzz_targets
from spss_apps.benchmarks.fuzz_ledger import CUT
from spss_apps.benchmarks.fuzz_targets import TARGETS, NoSentenceError, make_target, refused


@pytest.mark.parametrize("name", ["label", "segmentation"])
def test_every_seed_is_taken_and_a_torn_one_is_refused(name, tmp_path, monkeypatch):
    answers = []
    module = __import__(f"spss_apps.benchmarks.fuzz_{name}", fromlist=["refused"])
    monkeypatch.setattr(module, "refused", lambda read: answers.append(refused(read)))
    target = make_target(name, tmp_path)
    for seed in target.seeds:
        target.read(seed)
    assert answers == [False] * len(target.seeds)
    target.read(target.seeds[0][:-40])
    assert answers[-1] is True


def test_foreign_and_torn_entries_do_not_disturb_the_ledger(tmp_path):
    target = make_target("ledger", tmp_path)
    assert len(target.seeds) == 4
    for seed in target.seeds:
        target.read(seed)
        target.read(seed[:-60])
        target.read(seed.replace(b'"shape"', b'"shapes"'))
        target.read(seed.partition(CUT)[0])


def test_a_ledger_that_loses_a_submit_is_found(tmp_path, monkeypatch):
    target = make_target("ledger", tmp_path)
    history = Ledger.history
    monkeypatch.setattr(Ledger, "history", lambda ledger, image: history(ledger, image)[:2])
    with pytest.raises(AssertionError):
        target.read(target.seeds[0])


def test_an_audit_log_that_loses_a_line_is_found(tmp_path, monkeypatch):
    target = make_target("audit", tmp_path)
    for seed in target.seeds:
        target.read(seed)
    monkeypatch.setattr(AuditLog, "_append", lambda log, line: None)
    with pytest.raises(AssertionError):
        target.read(target.seeds[0])


def test_any_other_error_than_a_sentence_is_a_finding(tmp_path, monkeypatch):
    target = make_target("label", tmp_path)

    def broken(*_, **__):
        raise KeyError("no sentence")

    monkeypatch.setattr(fuzz_label, "read_label_file", broken)
    with pytest.raises(KeyError):
        target.read(target.seeds[0])

    def mumble():
        raise InputError("bad")

    with pytest.raises(NoSentenceError, match="bad"):
        refused(mumble)


def test_a_finding_is_kept_once_with_its_input(tmp_path):
    known = set()
    for number in range(3):
        try:
            fuzz_targets.refused(lambda: int("x"))
        except ValueError as error:
            fuzz_readers_child.keep(error, bytes([number]), tmp_path, known)
    (line,) = (tmp_path / "findings.jsonl").read_text(encoding="utf-8").splitlines()
    finding = json.loads(line)
    assert finding["kind"].startswith("ValueError at ")
    assert (tmp_path / finding["input"]).read_bytes() == b"\0"


def test_the_figures_are_read_from_what_the_fuzzer_left(tmp_path):
    log = tmp_path / "log"
    log.write_text("#2 INITED cov: 40 ft: 1\n#9 DONE cov: 55 ft: 2\n", encoding="utf-8")
    (tmp_path / "findings.jsonl").write_text(
        '{"kind": "KeyError at x", "message": "y"}\n', encoding="utf-8"
    )
    outcome = fuzz_readers.read_outcome("label", tmp_path, minutes=1, status=0)
    assert outcome.coverage == (40, 55)
    assert outcome.findings == ("KeyError at x: y",)
    died = fuzz_readers.read_outcome("label", tmp_path, minutes=1, status=-11)
    assert "status -11" in died.findings[-1]
    log.write_text("ImportError", encoding="utf-8")
    with pytest.raises(InputError, match="before it began"):
        fuzz_readers.read_outcome("label", tmp_path, minutes=1, status=1)


def test_without_atheris_it_says_how_to_get_it(capsys, monkeypatch):
    monkeypatch.setattr(fuzz_readers.importlib.util, "find_spec", lambda name: None)
    assert benchmark.main(["fuzz_readers"]) == 2
    assert "atheris is not installed" in capsys.readouterr().err
    assert set(TARGETS) == {"label", "segmentation", "ledger", "audit"}
