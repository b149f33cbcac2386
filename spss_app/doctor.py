"""Say what is installed, what would keep the server from starting, and how to mend it.

Exit status 1 when the server could not start.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable

from spss_app.health.finding import Finding, Level
from spss_app.health.machine import check_machine
from spss_app.health.packages import check_packages
from spss_app.health.server import check_server
from spss_app.health.torch_build import check_torch

_MARKS = {Level.OK: "ok  ", Level.WARNING: "warn", Level.FAILURE: "FAIL"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """``spss doctor`` has no options."""


def run(args: argparse.Namespace) -> int:
    """Prints one screen and returns 1 if a finding keeps the server from starting."""
    failed = False
    for title, check in (
        ("Packages", check_packages),
        ("PyTorch", check_torch),
        ("Machine", check_machine),
        ("Server", check_server),
    ):
        print(title, flush=True)  # the next check may take seconds
        findings = check()
        print("\n".join(lines_of(findings)), flush=True)
        failed = failed or any(finding.level is Level.FAILURE for finding in findings)
    if failed:
        print("\nThe server cannot start before what is marked FAIL is mended.", file=sys.stderr)
    return int(failed)


def lines_of(findings: Iterable[Finding]) -> list[str]:
    """One line a finding, and under it what mends it."""
    lines = []
    for finding in findings:
        lines.append(f"  {_MARKS[finding.level]}  {finding.text}")
        if finding.mend:
            lines.append(f"        → {finding.mend}")
    return lines
