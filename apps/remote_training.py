"""Training on the server, started and watched over HTTP."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from spss.errors import NotReadyError
from spss_apps.client import answering
from spss_apps.server import ServerProcess

if TYPE_CHECKING:
    from monailabel.client import MONAILabelClient

MODEL = "spss"
POLL_SECONDS = 1.0
LOG_LINES = 8


def train_remotely(
    client: MONAILabelClient,
    server: ServerProcess,
    params: dict[str, Any],
    *,
    on_progress: Callable[[float, str], None] = lambda share, text: None,
) -> dict[str, Any]:
    """Starts a training and returns when it has ended.

    Args:
        client: connected to ``server``.
        server: checked for being alive while waiting.
        params: options of the train task, such as ``method`` and ``minutes``.
        on_progress: called with the share done, 0…1, and a short text.

    Returns:
        The task's last ``train_stats``, as Slicer's and OHIF's progress bars read them.

    Raises:
        NotReadyError: the training failed; with its last log lines.
        InputError: the server refused to start it.
    """
    with answering("train"):
        client.train_start(MODEL, dict(params))
    while True:
        server.check()
        with answering("say how the training goes"):
            task = client.train_status()
        stats = _stats(client)
        if task.get("status") not in ("SUBMITTED", "RUNNING"):
            break
        on_progress(*_progress(stats))
        time.sleep(POLL_SECONDS)
    if task.get("status") != "DONE":
        lines = "\n".join(list(task.get("details", []))[-LOG_LINES:])
        msg = f"The training ended with status {task.get('status')}. Its last lines:\n{lines}"
        raise NotReadyError(msg)
    on_progress(1.0, "")
    return stats


def _stats(client: MONAILabelClient) -> dict[str, Any]:
    stats = client.info().get("train_stats", {}).get(MODEL, {})
    return stats if isinstance(stats, dict) else {}


def _progress(stats: dict[str, Any]) -> tuple[float, str]:
    total = float(stats.get("total_epochs") or 0)
    share = float(stats.get("epoch") or 0) / total if total else 0.0
    best = float(stats.get("best_metric") or 0)
    return min(share, 1.0), f"held-out Dice {best:.3f}" if best > 0 else ""
