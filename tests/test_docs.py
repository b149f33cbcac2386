"""The documentation's code runs as it is printed, and its links lead somewhere."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def test_the_librarys_example_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (ROOT / "docs" / "library.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "docs/library.md", "exec"), {})
    dice = [float(number) for number in re.findall(r"\d\.\d+", capsys.readouterr().out)]
    assert len(dice) == 2
    assert min(dice) > 0.5
    assert (tmp_path / "carried.nii.gz").is_file()


@pytest.mark.parametrize("page", ["README.md", "docs/library.md", "spss_app/README.md"])
def test_links_lead_to_files(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    targets = re.findall(r"\]\((?!https?:)([^)#]+)", text)
    assert [target for target in targets if not ((ROOT / page).parent / target).exists()] == []


def test_the_readme_names_commands_that_exist() -> None:
    from spss.cli.main import command_modules

    text = (ROOT / "README.md").read_text(encoding="utf-8")
    named = set(re.findall(r"^spss ([a-z]+)", text, re.MULTILINE))
    assert named
    assert named <= set(command_modules())
