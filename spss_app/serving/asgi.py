"""What ``spss serve`` gives to ``monailabel start_server --uvicorn_app``."""

from __future__ import annotations

import os
from pathlib import Path

from monailabel.config import settings as monailabel_settings

from spss_app.serving.settings import ServeSettings, read_settings

_served: ServeSettings = read_settings()
# MONAI Label decides while it is imported whether its endpoints look at tokens.
monailabel_settings.MONAI_LABEL_AUTH_ENABLE = _served.login != "none"
os.environ["MONAI_LABEL_AUTH_ENABLE"] = str(monailabel_settings.MONAI_LABEL_AUTH_ENABLE)

from monailabel.app import app as _monailabel  # noqa: E402

from spss_app.serving.answers import AsgiApp  # noqa: E402
from spss_app.serving.guards import Limits, guard_served  # noqa: E402
from spss_app.serving.login import Exchange, realm_login, use_tokens  # noqa: E402
from spss_app.serving.realm import mend_realm  # noqa: E402
from spss_app.serving.tokens import read_tokens  # noqa: E402


def _exchange(served: ServeSettings) -> Exchange | None:
    if served.login == "token":
        return use_tokens(read_tokens(Path(served.token_file)))
    if served.login == "realm":
        mend_realm()
        return realm_login
    return None


def _limits(served: ServeSettings) -> Limits:
    # A server that others reach goes by names nobody here knows; its token guards it instead.
    hosts = (served.host,) if served.is_loopback else None
    return Limits(served.origins, hosts, served.upload_gb)


app: AsgiApp = guard_served(_monailabel, _limits(_served), _exchange(_served))
