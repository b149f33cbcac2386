"""A training whose plan does not fit the memory plans for less, and says so."""

import sys
from types import SimpleNamespace

import pytest
import torch

from spss.training.train import train


@pytest.fixture
def jobs(monkeypatch, tmp_path):
    """Trainings that fail with given errors, one after another, and then succeed."""
    planned, errors = [], []

    def run(*args):
        if errors:
            raise errors.pop(0)
        return "trained"

    def prepare(cases, names, chosen, *, out, resume, **rest):
        plan = SimpleNamespace(memory_gb=chosen.memory_gb or 8.0)
        planned.append((plan.memory_gb, resume))
        return SimpleNamespace(settings=SimpleNamespace(plan=plan), out=out, run=run)

    monkeypatch.setattr(sys.modules[train.__module__], "prepare_job", prepare)
    (tmp_path / "checkpoint.pt").write_bytes(b"of larger patches")
    return SimpleNamespace(planned=planned, errors=errors, out=tmp_path)


def _train(jobs, said):
    return train([], ["background", "a"], out=jobs.out, resume=True, say=said.append)


def test_half_the_memory_is_planned_each_time(jobs):
    jobs.errors += [torch.OutOfMemoryError("CUDA out of memory."), MemoryError()]
    said = []
    assert _train(jobs, said) == "trained"
    assert jobs.planned == [(8.0, True), (4.0, False), (2.0, False)]
    assert "plan for 8.0 GB" in said[0]
    assert "plan for 2.0 GB" in said[1]
    assert not (jobs.out / "checkpoint.pt").exists()


def test_after_three_plans_the_error_is_told(jobs):
    jobs.errors += [MemoryError()] * 3
    with pytest.raises(MemoryError):
        _train(jobs, [])
    assert len(jobs.planned) == 3


def test_another_error_is_not_tried_again(jobs):
    jobs.errors += [RuntimeError("shapes do not match")]
    with pytest.raises(RuntimeError, match="shapes"):
        _train(jobs, [])
    assert len(jobs.planned) == 1
