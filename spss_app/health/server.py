"""Would MONAI Label start here, and who could reach it?"""

from __future__ import annotations

from typing import Any

from spss_app.health.finding import Finding, Level
from spss_app.health.probe import ProbeError, probe

_SERVER = """
import monailabel.main, monailabel.app
from monailabel.config import settings
answer = {"auth": settings.MONAI_LABEL_AUTH_ENABLE,
    "cors": [str(origin) for origin in settings.MONAI_LABEL_CORS_ORIGINS]}
"""


def check_server() -> list[Finding]:
    """Imports what a start imports, then judges the settings of the environment and ``.env``."""
    try:
        settings = probe(_SERVER)
    except ProbeError as error:
        text = f"MONAI Label does not import: {error}"
        mend = "mend the packages above; if none is marked: rm -rf .venv && make install"
        return [Finding(Level.FAILURE, text, mend)]
    return [
        Finding(Level.OK, "MONAI Label imports, the server can start"),
        *judge_settings(settings),
    ]


def judge_settings(settings: dict[str, Any]) -> list[Finding]:
    """Listening address, authentication and cross-origin requests.

    MONAI Label 0.8.5 listens on every interface, without authentication, and answers web pages of
    any origin; with authentication switched on it refuses every token, since it decodes them
    without naming an algorithm.
    """
    findings = [
        Finding(
            Level.WARNING,
            "start_server listens on every network interface by default",
            "monailabel start_server --host 127.0.0.1 …   (or a firewall, or a proxy with a login)",
        )
    ]
    if settings["auth"]:
        text = "MONAI_LABEL_AUTH_ENABLE is on, but MONAI Label 0.8.5 refuses every token"
        mend = "leave it off and put a proxy with a login in front"
    else:
        text = "no authentication: who reaches the port reads and changes all studies"
        mend = "listen on 127.0.0.1, or put a proxy with a login in front"
    findings.append(Finding(Level.WARNING, text, mend))
    if settings["cors"]:
        findings.append(
            Finding(Level.OK, f"web pages of {', '.join(settings['cors'])} may call it")
        )
    else:
        text = "any web page opened in a browser that reaches the server may call it (CORS: *)"
        mend = """export MONAI_LABEL_CORS_ORIGINS='["http://127.0.0.1:8000"]'"""
        findings.append(Finding(Level.WARNING, text, mend))
    return findings
