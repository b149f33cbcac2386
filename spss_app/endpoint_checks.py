"""Checks that MONAI Label's endpoints lack, put in front of them.

Requests for training, scoring and batch inference are handed to a subprocess before the app sees
them; what is wrong with them would only appear in its log. Here they are checked first, while an
HTTP answer is still possible.
"""

from __future__ import annotations

import functools
from typing import Any

from monailabel.interfaces.utils.app import app_instance
from monailabel.utils.async_tasks.task import AsyncTask
from monailabel.utils.async_tasks.utils import processes

from spss_app.serving.endpoint_answers import install_answers

_MARK = "_spss_checked"


def install_checks() -> None:
    """Installs the checks once; they leave other apps of the same process alone."""
    install_answers()
    if getattr(AsyncTask, _MARK, False):
        return
    setattr(AsyncTask, _MARK, True)
    AsyncTask.run = staticmethod(_checked_run(AsyncTask.run))


def _checked_run(run: Any) -> Any:
    @functools.wraps(run)
    def checked(
        method: str, request: Any = None, params: Any = None, *args: Any, **kwargs: Any
    ) -> Any:
        """The app checks the request first, and hears of the process that it started."""
        app = app_instance()
        if hasattr(app, "checked_task_request"):
            request = app.checked_task_request(method, {**(request or {}), **(params or {})})
            params = None
        idle = not processes(method)
        answer = run(method, request, params, *args, **kwargs)
        background = idle and answer[0] is not None and not kwargs.get("force_sync")
        if background and hasattr(app, "task_submitted"):
            app.task_submitted(method, request)
        return answer

    return checked
