"""Packages against the project's own pins."""

from importlib.metadata import PackageNotFoundError

import pytest
from packaging.requirements import Requirement

from spss_app.health import packages
from spss_app.health.finding import Level
from spss_app.health.packages import (
    check_commands,
    check_packages,
    check_python,
    check_requirement,
)


def installed(monkeypatch: pytest.MonkeyPatch, **versions: str) -> None:
    def version(name: str) -> str:
        if name in versions:
            return versions[name]
        raise PackageNotFoundError(name)

    monkeypatch.setattr(packages, "version", version)


def test_a_version_outside_the_pin_is_named_with_the_line_that_mends_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    installed(monkeypatch, numpy="2.1.0", pydicom="2.4.5")
    finding = check_requirement(Requirement("numpy>=1.26,<2"))
    assert finding is not None
    assert finding.level is Level.FAILURE
    assert finding.text == "numpy 2.1.0 is installed, but needed is <2,>=1.26"
    assert finding.mend == "pip install 'numpy<2,>=1.26'"
    assert check_requirement(Requirement("pydicom<3")) is None


def test_an_absent_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    installed(monkeypatch)
    finding = check_requirement(Requirement("monailabel==0.8.5"))
    assert finding is not None
    assert finding.text == "monailabel is not installed"
    assert finding.mend == "pip install --no-deps --force-reinstall 'monailabel==0.8.5'"


def test_the_pins_are_the_projects_own(monkeypatch: pytest.MonkeyPatch) -> None:
    installed(monkeypatch)
    said = "\n".join(finding.text for finding in check_packages())
    for name in ("monailabel", "numpy", "pydicom", "torch", "dcmqi"):
        assert f"{name} is not installed" in said
    assert "pytest" not in said  # only needed to test


@pytest.mark.parametrize("running", [(3, 9), (3, 13), (3, 14)])
def test_pythons_that_cannot_run_the_server_fail(running: tuple[int, int]) -> None:
    finding = check_python(running)
    assert finding.level is Level.FAILURE
    assert "3.10 to 3.12" in finding.text


def test_the_command_that_uv_leaves_out_fails_and_dcmqi_warns(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(packages, "_has_command", lambda name: False)
    assert [finding.level for finding in check_commands()] == [Level.FAILURE, Level.WARNING]
    monkeypatch.setattr(packages, "_has_command", lambda name: True)
    assert check_commands() == []
