"""`spss doctor`: one screen, what mends it, and an exit status."""

import pytest

from spss.cli.main import main
from spss_app import doctor
from spss_app.health.finding import Finding, Level

OK = Finding(Level.OK, "all is well")
WARNING = Finding(Level.WARNING, "no GPU", "buy one")
FAILURE = Finding(Level.FAILURE, "numpy 2 is installed", "pip install 'numpy<2'")


def with_findings(monkeypatch: pytest.MonkeyPatch, *findings: Finding) -> None:
    for check in ("check_torch", "check_machine", "check_server"):
        monkeypatch.setattr(doctor, check, lambda: [OK])
    monkeypatch.setattr(doctor, "check_packages", lambda: list(findings))


def test_warnings_are_shown_but_do_not_fail(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with_findings(monkeypatch, OK, WARNING)
    assert main(["doctor"]) == 0
    printed = capsys.readouterr()
    assert "  warn  no GPU\n        → buy one\n" in printed.out
    assert not printed.err


def test_what_keeps_the_server_from_starting_gives_exit_status_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with_findings(monkeypatch, FAILURE, OK)
    assert main(["doctor"]) == 1
    printed = capsys.readouterr()
    assert "  FAIL  numpy 2 is installed\n        → pip install 'numpy<2'\n" in printed.out
    assert "cannot start" in printed.err
