"""Do the installed packages fit the pins of this project?"""

from __future__ import annotations

import shutil
import sys
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

from packaging.requirements import Requirement

from spss_app.health.finding import Finding, Level

PROJECT = "spss-monailabel"
_SHOWN = ("monailabel", "monai", "torch", "torchvision", "numpy", "pydicom", "nibabel", "SimpleITK")


def check_packages() -> list[Finding]:
    """Python, every requirement of the project, and the two commands that come with packages."""
    try:
        needed = [Requirement(line) for line in requires(PROJECT) or ()]
    except PackageNotFoundError:
        text = f"{PROJECT} itself is not installed, only found on the path"
        return [
            check_python(sys.version_info[:2]),
            Finding(Level.FAILURE, text, "pip install -e ."),
        ]
    needed = [one for one in needed if one.marker is None or one.marker.evaluate({"extra": ""})]
    wrong = [finding for one in needed if (finding := check_requirement(one))]
    return [check_python(sys.version_info[:2]), _versions(), *wrong, *check_commands()]


def check_python(running: tuple[int, int]) -> Finding:
    """MONAI Label 0.8.5 runs on Python 3.10 to 3.12."""
    text = f"Python {running[0]}.{running[1]} at {sys.executable}"
    if (3, 10) <= running < (3, 13):
        return Finding(Level.OK, text)
    return Finding(
        Level.FAILURE,
        f"{text}: MONAI Label 0.8.5 runs on 3.10 to 3.12 only",
        "make PYTHON=/path/to/python3.12 install",
    )


def check_requirement(needed: Requirement) -> Finding | None:
    """None if the package is there in a version that fits, else what is wrong."""
    mend = f"pip install '{needed.name}{needed.specifier}'"
    if needed.name.lower() == "monailabel":
        # A plain install would bring back what the pins keep out.
        mend = f"pip install --no-deps --force-reinstall '{needed.name}{needed.specifier}'"
    try:
        found = version(needed.name)
    except PackageNotFoundError:
        return Finding(Level.FAILURE, f"{needed.name} is not installed", mend)
    if needed.specifier.contains(found, prereleases=True):
        return None
    text = f"{needed.name} {found} is installed, but needed is {needed.specifier}"
    return Finding(Level.FAILURE, text, mend)


def check_commands() -> list[Finding]:
    """``monailabel``, which uv leaves out of its wheel, and dcmqi's converter for DICOMweb."""
    findings = []
    if not _has_command("monailabel"):
        findings.append(
            Finding(
                Level.FAILURE,
                "the command 'monailabel' is missing: uv leaves it out of the wheel",
                "pip install --no-deps --force-reinstall monailabel==0.8.5",
            )
        )
    if not _has_command("itkimage2segimage"):
        findings.append(
            Finding(
                Level.WARNING,
                "'itkimage2segimage' is missing: a start with a DICOMweb address would download it",
                "pip install dcmqi",
            )
        )
    return findings


def _has_command(name: str) -> bool:
    return shutil.which(name) is not None or (Path(sys.prefix) / "bin" / name).is_file()


def _versions() -> Finding:
    """The versions that matter most, in one line."""
    found = []
    for name in _SHOWN:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            found.append(f"{name} absent")
    return Finding(Level.OK, ", ".join(found))
