"""One of many annotators: asks, draws a plane like no other, submits, and keeps the times."""

from __future__ import annotations

import json
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import requests

from spss.annotation import Plane
from spss.volumes import read_grid, write_label

_TIMEOUT_SECONDS = 300.0


@dataclass(frozen=True)
class Asked:
    """One request.

    Attributes:
        endpoint: where.
        seconds: until the whole answer was there.
        status: of HTTP; 0 = no answer.
        without_pause: it was made while the annotator worked without any.
    """

    endpoint: str
    seconds: float
    status: int
    without_pause: bool = True


class Annotator(threading.Thread):
    """Annotates until its submits are made and the least time is over, or all time is.

    Args:
        url: the server.
        studies: its folder, for the images' grids.
        number: which annotator; also its seed.
        submits: how many to make.
        propagate_every: every so many submits it asks for a propagation.
        pause_seconds: between its samples once its submits are made.
        at_least: goes on until then although its submits are made, in `time.monotonic` seconds.
        deadline: stops then, in the same seconds.
    """

    def __init__(
        self,
        url: str,
        studies: Path,
        *,
        number: int,
        submits: int,
        propagate_every: int,
        pause_seconds: float,
        at_least: float,
        deadline: float,
    ) -> None:
        super().__init__(daemon=True)
        self.asked: list[Asked] = []
        self.acknowledged: list[dict[str, Any]] = []
        self._url, self._studies, self._client = url, studies, f"annotator {number}"
        self._submits, self._every = submits, propagate_every
        self._pause_seconds = pause_seconds
        self._at_least, self._deadline = at_least, deadline
        self._rng = np.random.default_rng(number)
        self._session = requests.Session()

    def run(self) -> None:
        """The annotator's day."""
        with tempfile.TemporaryDirectory() as folder, self._session:
            while self._goes_on():
                sample = self._next_sample()
                if sample is None:
                    time.sleep(1)
                    continue
                self._submit(*sample, Path(folder))
                if len(self.acknowledged) % self._every == 1:
                    self._propagate(sample[0])
                if len(self.acknowledged) >= self._submits:
                    time.sleep(self._pause_seconds)

    def _goes_on(self) -> bool:
        now = time.monotonic()
        is_done = len(self.acknowledged) >= self._submits and now >= self._at_least
        return not is_done and now < self._deadline

    def _next_sample(self) -> tuple[str, Plane] | None:
        answer = self._ask(
            "next sample",
            "POST",
            "/activelearning/self_paced",
            json={"client_id": self._client},
        )
        if answer is None or "suggestion" not in (sample := answer.json()):
            return None
        plane = Plane(sample["suggestion"]["axis"], sample["suggestion"]["index"])
        return sample["id"], plane

    def _submit(self, image_id: str, plane: Plane, folder: Path) -> None:
        grid = read_grid(self._studies / "imagesTr" / f"{image_id}.nii.gz")
        label = np.zeros(grid.shape, np.uint8)
        label[plane.slices] = self._rng.integers(0, 3, label[plane.slices].shape)
        file = folder / "label.nii.gz"
        write_label(file, label, like=grid)
        params = {
            "client_id": self._client,
            "author": self._client,
            "annotated_planes": [{"axis": plane.axis, "index": plane.index}],
        }
        answer = self._ask(
            "submit",
            "PUT",
            "/datastore/label",
            params={"image": image_id, "tag": "final"},
            data={"params": json.dumps(params)},
            files={"label": (file.name, file.read_bytes())},
        )
        if answer is not None:
            self.acknowledged.append(
                {
                    "image": image_id,
                    "entry": answer.json()["entry"],
                    "author": self._client,
                    "axis": plane.axis,
                    "index": plane.index,
                    "values": label[plane.slices].tobytes().hex(),
                }
            )

    def _propagate(self, image_id: str) -> None:
        self._ask(
            "propagate",
            "POST",
            "/infer/propagate",
            params={"image": image_id, "output": "image"},
            data={"params": json.dumps({"result_extension": ".nii.gz"})},
        )

    def _ask(
        self, endpoint: str, method: str, path: str, **options: Any
    ) -> requests.Response | None:
        """The answer if it is a good one; its time is kept in any case."""
        without_pause = len(self.acknowledged) < self._submits
        started = time.perf_counter()
        try:
            answer = self._session.request(
                method, f"{self._url}{path}", timeout=_TIMEOUT_SECONDS, **options
            )
            status = answer.status_code
        except requests.RequestException:
            answer, status = None, 0
        self.asked.append(Asked(endpoint, time.perf_counter() - started, status, without_pause))
        return answer if answer is not None and answer.ok else None
