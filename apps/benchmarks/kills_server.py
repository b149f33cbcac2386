"""The real server, killed while annotators submit over HTTP."""

from __future__ import annotations

import json
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import requests
from tqdm import tqdm

import spss_app
from spss.volumes import read_grid, write_label
from spss_apps.benchmarks.kills_store import LABELS, SHAPE, check, make_studies
from spss_apps.server import ServerProcess

_LONGEST_SECONDS = 4.0
_TIMEOUT_SECONDS = 60.0


def kill_servers(
    root: Path, kills: int, rng: np.random.Generator, minutes: float = 60.0
) -> dict[str, Any]:
    """Starts a server, submits from two threads, kills it, checks, and starts the next one.

    A server that was killed must not keep the next one from starting on the same folder.
    """
    from spss_apps.benchmarks.kills import Count

    studies = make_studies(root / "studies")
    acknowledged: list[dict[str, Any]] = []
    total = Count()
    deadline = time.monotonic() + 60 * minutes
    for number in tqdm(range(kills), desc="servers", disable=None):
        if time.monotonic() > deadline:
            break
        app = Path(spss_app.__file__).parent
        log = root / f"server_{number}.log"
        server = ServerProcess(app, studies, log=log, conf={"labels": ",".join(LABELS)})
        with server:
            told = _submit_until_killed(server, studies, float(rng.uniform(0.2, _LONGEST_SECONDS)))
        acknowledged += told
        total.killed(True, "submits over HTTP")
        total.acknowledged += len(told)
        total.add(check(studies, acknowledged))
    return total.record()


def _submit_until_killed(
    server: ServerProcess, studies: Path, seconds: float
) -> list[dict[str, Any]]:
    told: list[dict[str, Any]] = []
    writers = [
        threading.Thread(target=_submit_without_end, args=(server.url, studies, seed, told))
        for seed in range(2)
    ]
    for writer in writers:
        writer.start()
    time.sleep(seconds)
    server.stop(at_once=True)  # SIGKILL, to its children too
    for writer in writers:
        writer.join()
    return told


def _submit_without_end(url: str, studies: Path, seed: int, told: list[dict[str, Any]]) -> None:
    """Submits until the server answers no more; only what was answered counts."""
    rng = np.random.default_rng([seed, time.time_ns()])
    images = sorted((studies / "imagesTr").glob("*.nii.gz"))
    with tempfile.TemporaryDirectory() as folder, requests.Session() as session:
        while True:
            image = images[rng.integers(len(images))]
            label = rng.integers(0, 3, SHAPE).astype(np.uint8)
            axis = int(rng.integers(3))
            plane = {"axis": axis, "index": int(rng.integers(SHAPE[axis]))}
            file = Path(folder) / "label.nii.gz"
            write_label(file, label, like=read_grid(image))
            image_id = image.name.removesuffix(".nii.gz")
            try:
                answer = session.put(
                    f"{url}/datastore/label",
                    params={"image": image_id, "tag": "final"},
                    data={"params": json.dumps({"annotated_planes": [plane]})},
                    files={"label": (file.name, file.read_bytes())},
                    timeout=_TIMEOUT_SECONDS,
                )
            except requests.RequestException:
                return
            values = np.take(label, plane["index"], axis=axis).ravel().tolist()
            told.append(
                {
                    "image": image_id,
                    "entry": answer.json()["entry"],
                    **plane,
                    "values": "".join(map(str, values)),
                }
            )
