"""Judgements on torch, the machine and the server's settings."""

from pathlib import Path

import pytest

from spss_app.health import torch_build
from spss_app.health.finding import Finding, Level
from spss_app.health.machine import check_machine, free_memory_gib, judge_disk, judge_memory
from spss_app.health.probe import ProbeError, probe
from spss_app.health.server import judge_settings
from spss_app.health.torch_build import check_torch, judge_torch

TORCH = {"version": "2.15.0", "cuda_build": None, "threads": 2, "gpus": []}


def worst(findings: list[Finding]) -> str:
    return " ".join(finding.text for finding in findings if finding.level is not Level.OK)


def test_a_gpu_is_named_and_its_absence_is_a_warning() -> None:
    gpu = {**TORCH, "gpus": ["H100"], "cuda_build": "13.0"}
    assert "sees H100 (CUDA 13.0)" in judge_torch(gpu)[0].text
    assert "(CPU only) sees no GPU" in worst(judge_torch(TORCH))


def test_the_slow_torch_release_is_warned_of() -> None:
    assert "slow and hungry" in worst(judge_torch({**TORCH, "version": "2.9.0+cpu"}))
    assert "slow and hungry" not in worst(judge_torch({**TORCH, "version": "2.9.1"}))


def test_a_torchvision_of_another_build_fails_while_torch_is_still_judged(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def answer(code: str) -> dict[str, object]:
        if "torchvision" in code:
            msg = "RuntimeError: operator torchvision::nms does not exist"
            raise ProbeError(msg)
        return dict(TORCH)

    monkeypatch.setattr(torch_build, "probe", answer)
    findings = check_torch()
    assert [finding.level for finding in findings] == [Level.WARNING, Level.FAILURE]
    assert "nms does not exist" in findings[1].text


def test_a_torch_that_does_not_import_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: str) -> dict[str, object]:
        msg = "OSError: libcudart"
        raise ProbeError(msg)

    monkeypatch.setattr(torch_build, "probe", fail)
    assert [finding.level for finding in check_torch()] == [Level.FAILURE]


def test_open_settings_are_warned_of() -> None:
    said = worst(judge_settings({"auth": False, "cors": []}))
    assert "every network interface" in said
    assert "without a login" in said


def test_a_login_and_named_pages_are_told() -> None:
    findings = judge_settings({"auth": True, "cors": ["http://viewer"]})
    assert "without a login" not in worst(findings)
    assert "its own, http://viewer" in findings[-1].text


def test_little_memory_or_disk_is_a_warning(tmp_path: Path) -> None:
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal: 9 kB\nMemAvailable:    3145728 kB\n", encoding="utf-8")
    assert free_memory_gib(meminfo) == 3.0
    assert free_memory_gib(tmp_path / "absent") is None
    assert judge_memory(3.0).level is Level.WARNING
    assert judge_memory(8.0).level is Level.OK
    assert judge_disk(1.0, tmp_path).level is Level.WARNING
    assert all(finding.text for finding in check_machine())


def test_a_probe_answers_or_tells_the_last_line() -> None:
    assert probe("print('noise'); answer = {'x': 1}") == {"x": 1}
    with pytest.raises(ProbeError, match="ImportError: broken"):
        probe("raise ImportError('broken')")
    with pytest.raises(ProbeError, match="exit status -6"):
        probe("import os; os.abort()")
