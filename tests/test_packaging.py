"""What is installed is what is in the tree, whether from a wheel or in place."""

import ast
import configparser
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = {"spss": "lib/spss", "spss_app": "spss_app", "spss_apps": "apps"}
WRITTEN_BY_A_SERVER = {"model", "logs", "bin", "lib"}
SITE_FOLDER = "spss_monailabel-{version}.data/data/monailabel/sample-apps/spss_app/"


@pytest.fixture(scope="module")
def config() -> configparser.ConfigParser:
    parser = configparser.ConfigParser(delimiters=("=",))
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read(ROOT / "setup.cfg", encoding="utf-8")
    return parser


def source_files() -> Iterator[tuple[Path, Path]]:
    """Where each file of the project is installed, and where it lies in the tree."""
    for package, folder in FOLDERS.items():
        for path in sorted((ROOT / folder).rglob("*")):
            inside = path.relative_to(ROOT / folder)
            written = package == "spss_app" and inside.parts[0] in WRITTEN_BY_A_SERVER
            if path.is_file() and "__pycache__" not in inside.parts and not written:
                yield Path(package) / inside, path


def test_the_package_list_is_the_tree(config: configparser.ConfigParser) -> None:
    listed = config["options"]["packages"].split()
    inits = [installed for installed, _ in source_files() if installed.name == "__init__.py"]
    assert sorted(listed) == sorted(".".join(init.parent.parts) for init in inits)


def test_commands_from_outside_the_library_have_what_the_console_command_calls(
    config: configparser.ConfigParser,
) -> None:
    entries = config["options.entry_points"]["spss.commands"].strip().splitlines()
    assert entries
    for entry in entries:
        module = entry.partition("=")[2].strip()
        spec = find_spec(module)
        assert spec is not None, entry
        assert spec.origin is not None
        code = ast.parse(Path(spec.origin).read_text(encoding="utf-8"))
        functions = {node.name for node in code.body if isinstance(node, ast.FunctionDef)}
        assert {"add_arguments", "run"} <= functions, entry


@pytest.mark.slow
def test_the_wheel_holds_every_file_and_the_app_where_monailabel_looks(tmp_path: Path) -> None:
    # Built from a copy: a build folder left in the tree would leak deleted files into the wheel.
    for name in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tmp_path / name)
    for folder in FOLDERS.values():
        skip = shutil.ignore_patterns("__pycache__", *WRITTEN_BY_A_SERVER)
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=skip)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-index"]
    command += ["--no-build-isolation", "--wheel-dir", "out", "."]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    (wheel,) = (tmp_path / "out").glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    site_folder = SITE_FOLDER.format(version=wheel.name.split("-")[1])
    assert f"{site_folder}main.py" in names
    missing = [path for installed, path in source_files() if installed.as_posix() not in names]
    assert missing == []
