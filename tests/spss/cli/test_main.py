"""The console command: quick, and errors are one line."""

import subprocess
import sys
from types import SimpleNamespace

import pytest

import spss
from spss.cli import main as main_module
from spss.cli.main import main
from spss.errors import NotReadyError


def test_help_names_every_command_with_its_first_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    printed = capsys.readouterr().out
    for command in ("budget", "evaluate"):
        assert f"\n  {command} " in printed
    assert "Dice, Jaccard, HD95" in printed


def test_help_imports_neither_torch_nor_the_server() -> None:
    code = (
        "import sys; from spss.cli.main import main; main(['--help']);"
        "print(sorted({'torch', 'monai', 'monailabel', 'nibabel'} & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.splitlines()[-1] == "[]"


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"spss {spss.__version__}\n"


def test_an_unknown_command_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["foo"]) == 2
    assert capsys.readouterr().err == "spss: there is no command 'foo'; 'spss --help' lists all.\n"


def test_a_user_error_is_one_line_and_exit_status_2(
    tmp_path: object, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [
        "budget",
        str(tmp_path),
        "--plan",
        "1x3",
        "--axis",
        "0",
        "-o",
        f"{tmp_path}/a.json",
    ]
    assert main(arguments) == 2
    printed = capsys.readouterr()
    assert printed.err.startswith("spss budget: There is no dataset.json in ")
    assert printed.err.count("\n") == 1
    assert printed.out == ""


@pytest.mark.parametrize(
    ("error", "status"), [(NotReadyError("Draw first."), 2), (KeyboardInterrupt(), 130)]
)
def test_other_ends_have_their_exit_status(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: BaseException,
    status: int,
) -> None:
    def run(_: object) -> int:
        raise error

    command = SimpleNamespace(__doc__="Fails.", add_arguments=lambda parser: None, run=run)
    monkeypatch.setitem(sys.modules, "failing_command", command)
    monkeypatch.setattr(main_module, "command_modules", lambda: {"fail": "failing_command"})
    assert main(["fail"]) == status
    assert capsys.readouterr().err.startswith("spss fail: ")


def test_a_command_whose_package_is_absent_is_said_in_the_overview(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(main_module, "command_modules", lambda: {"x": "absent_package.x"})
    assert main([]) == 0
    assert "not installed completely" in capsys.readouterr().out


def test_a_reader_that_stops_early_sees_no_traceback() -> None:
    code = "import sys; from spss.cli.main import main; sys.exit(main(['--help']))"
    command = f'{sys.executable} -u -c "{code}" | true'
    run = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
    assert "Traceback" not in run.stderr
