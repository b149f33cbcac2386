"""Runs a few lines in a Python of their own: a broken build may kill whoever imports it."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

PROBE_SECONDS = 300.0
_MARK = "spss-probe:"


class ProbeError(Exception):
    """The probe ended without an answer; the message is the last line it wrote."""


def probe(code: str) -> dict[str, Any]:
    """The dict that ``code`` leaves in the variable ``answer``.

    Raises:
        ProbeError: the process raised, crashed or took longer than ``PROBE_SECONDS``.
    """
    ending = f"\nimport json; print({_MARK!r} + json.dumps(answer))"
    try:
        outcome = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", code + ending],
            capture_output=True,
            text=True,
            timeout=PROBE_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        msg = f"no answer after {PROBE_SECONDS:.0f} seconds"
        raise ProbeError(msg) from error
    for line in outcome.stdout.splitlines():
        if line.startswith(_MARK):
            answer: dict[str, Any] = json.loads(line.removeprefix(_MARK))
            return answer
    lines = [line for line in outcome.stderr.splitlines() if line.strip()]
    raise ProbeError(lines[-1][:300] if lines else f"exit status {outcome.returncode}")
