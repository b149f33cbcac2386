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
    """Listening address, authentication and cross-origin requests of a plain start.

    MONAI Label 0.8.5 listens on every interface, without authentication; this app answers web pages
    of its own and of named origins only, and mends the check of a realm's tokens.
    """
    findings = [
        Finding(
            Level.WARNING,
            "monailabel start_server listens on every network interface by default",
            "spss serve --studies DIR   (this machine only, with a token)",
        )
    ]
    if settings["auth"]:
        findings.append(
            Finding(Level.OK, "tokens of the realm in MONAI_LABEL_AUTH_… are asked for")
        )
    else:
        text = "without a login who reaches its port reads and changes all studies"
        findings.append(Finding(Level.WARNING, text, "spss serve, or --host 127.0.0.1"))
    named = ", ".join(["its own", *settings["cors"]])
    findings.append(Finding(Level.OK, f"web pages that may call it: {named}"))
    return findings
