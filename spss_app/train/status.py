"""The training's progress, as Slicer's and OHIF's bars read it."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from spss.annotation.durable import write_durably


class TrainStatus:
    """A JSON file that the training replaces in one step and the server reads.

    Viewers read ``epoch``, ``total_epochs``, ``best_metric`` and take a ``total_time`` as "done".
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._started = time.time()
        self._now: dict[str, Any] = {}

    def read(self) -> dict[str, Any]:
        """The newest state; empty before the first training."""
        try:
            state = json.loads(self._path.read_bytes())
        except (OSError, ValueError):
            return {}
        return state if isinstance(state, dict) else {}

    def start(self, total_epochs: int, **more: Any) -> None:
        """Epoch 0, before anything is prepared, so that the bar does not show the last training."""
        self._started = time.time()
        self._now = {
            "epoch": 0,
            "total_epochs": total_epochs,
            "best_metric": 0.0,
            "start_ts": int(self._started),
            "messages": [],
            **more,
        }
        self._write()

    def progress(self, numbers: dict[str, Any]) -> None:
        """Takes over what the engine reports after a round."""
        self._now |= {k: v for k, v in numbers.items() if isinstance(v, int | float | str)}
        self._write()

    def say(self, message: str) -> None:
        """Adds a sentence for people."""
        self._now["messages"] = [*self._now.get("messages", []), message][-50:]
        self._write()

    def finish(self, outcome: str, **more: Any) -> None:
        """Marks the end; also after an error, which ``outcome`` then tells."""
        seconds = int(time.time() - self._started)
        clock = f"{seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
        self._now |= {"total_time": clock, "outcome": outcome, **more}
        self._write()

    def _write(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        write_durably(self._path, json.dumps(self._now, ensure_ascii=False).encode())
