"""What a server does before it answers, whoever started it."""

from __future__ import annotations

import sys
from pathlib import Path

from monailabel.config import settings

from spss_app.log_privacy import keep_ids_out_of_logs
from spss_app.serving.announce import announce_plain_start
from spss_app.serving.healthz import watch
from spss_app.serving.one_server import take_folder
from spss_app.serving.private_temp import use_private_temp
from spss_app.serving.settings import is_served


def secure_start(own: Path) -> None:
    """Takes the folder, hides temporary files, keeps ids out of the log, closes what can be closed.

    A server that ``spss serve`` started stands behind its wall already. A plain one gets the part
    of it that no viewer notices, and says what stays open.

    Args:
        own: the app's own folder in the workspace.

    Raises:
        InputError: another server runs on this folder.
    """
    take_folder(own)
    watch(own)
    use_private_temp()
    keep_ids_out_of_logs()
    if is_served():
        return
    loaded = sys.modules.get("monailabel.app")
    if loaded is not None:
        # imported here: only a server has MONAI Label's endpoints loaded
        from spss_app.serving.guards import guard_plain
        from spss_app.serving.realm import mend_realm

        mend_realm()
        guard_plain(loaded.app)
    announce_plain_start(
        login=settings.MONAI_LABEL_AUTH_ENABLE, port=settings.MONAI_LABEL_SERVER_PORT
    )
