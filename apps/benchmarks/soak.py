"""Many annotators at once on the real server: what is lost, what is mixed up, how long it takes.

Every annotator asks for the next sample, draws the plane that was suggested as a pattern that is
found nowhere else, submits it, and now and then asks for a propagation, without a pause; meanwhile
the server trains. Once its submits are made it goes on with a pause until the time is over, for the
memory; latencies are of the time before. Afterwards the ledger is compared with what was
acknowledged, bit by bit.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import requests
from tqdm import tqdm

import spss_app
from spss.datasets.phantoms import make_phantoms
from spss_apps.benchmarks.soak_annotator import Annotator, Asked
from spss_apps.benchmarks.soak_check import compare, names_in_log
from spss_apps.benchmarks.soak_figure import draw
from spss_apps.benchmarks.soak_memory import MemoryRecord, growth
from spss_apps.server import ServerProcess

LABELS = ("front", "back")
SHAPE = (12, 14, 10)
_START_SECONDS = 1200.0  # at low priority on a busy machine
_TRAIN_AFTER = 0.1
_PERCENTILE = 95


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the measurement."""
    parser.add_argument("--annotators", type=int, default=16)
    parser.add_argument("--submits", type=int, default=200, help="of each annotator")
    parser.add_argument("--minutes", type=float, default=30.0, help="go on for at least so long")
    parser.add_argument("--longest", type=float, default=60.0, metavar="MINUTES")
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument(
        "--pause",
        type=float,
        default=20.0,
        metavar="SECONDS",
        help="between the samples of an annotator whose submits are made",
    )
    parser.add_argument("--propagate-every", type=int, default=5, metavar="N")
    parser.add_argument("--train-minutes", type=float, default=10.0)
    parser.add_argument("--nice", type=int, default=10, help="priority of server and annotators")
    parser.add_argument("--out", type=Path, metavar="FILE", help="JSON with every number")
    parser.add_argument("--figure", type=Path, metavar="PNG", help="memory over time")


def run(args: argparse.Namespace) -> int:
    """Soaks, prints the numbers; exit status 1 if anything was lost or mixed up."""
    os.nice(args.nice)
    with tempfile.TemporaryDirectory(prefix="spss-soak-") as folder:
        record = soak(args, Path(folder))
    if args.out:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        args.out.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    if args.figure:
        draw(record["memory"], args.figure)
    print(json.dumps({k: v for k, v in record.items() if k != "memory"}, indent=1))
    return 1 if record["lost"] or record["wrong_image"] or record["failed"] else 0


def soak(args: argparse.Namespace, root: Path) -> dict[str, Any]:
    """Runs server and annotators; returns every number."""
    studies = root / "studies"
    make_phantoms(studies, args.images, shape=SHAPE)
    log = root / "server.log"
    server = ServerProcess(
        Path(spss_app.__file__).parent, studies, log=log, conf={"labels": ",".join(LABELS)}
    )
    server.start_seconds = _START_SECONDS
    with server, MemoryRecord(server.process_id) as memory:  # the server runs by then
        started = time.monotonic()
        annotators = _start(args, server.url, studies, started)
        training = _Training(server.url, args.train_minutes)
        _wait(annotators, args.annotators * args.submits, training)
        seconds = time.monotonic() - started
        outcome = training.outcome()
        server.check()
    asked = [each for annotator in annotators for each in annotator.asked]
    acknowledged = [fact for annotator in annotators for fact in annotator.acknowledged]
    found = compare(studies, acknowledged)
    return {
        "annotators": args.annotators,
        "minutes": round(seconds / 60, 1),
        "submits": len(acknowledged),
        "wanted": args.annotators * args.submits,
        **found,
        "failed": sum(each.status >= 500 or each.status == 0 for each in asked),
        "refused": sum(400 <= each.status < 500 for each in asked),
        "endpoints": _latencies([each for each in asked if each.without_pause]),
        "training": outcome,
        "names_in_log": names_in_log(
            log, [f.stem.split(".")[0] for f in studies.glob("images*/*")]
        ),
        "load": os.getloadavg(),
        "server_gb": growth(memory.samples),
        "memory": memory.samples,
    }


def _start(args: argparse.Namespace, url: str, studies: Path, now: float) -> list[Annotator]:
    annotators = [
        Annotator(
            url,
            studies,
            number=number,
            submits=args.submits,
            propagate_every=args.propagate_every,
            pause_seconds=args.pause,
            at_least=now + 60 * args.minutes,
            deadline=now + 60 * args.longest,
        )
        for number in range(args.annotators)
    ]
    for annotator in annotators:
        annotator.start()
    return annotators


def _wait(annotators: list[Annotator], wanted: int, training: _Training) -> None:
    with tqdm(total=wanted, desc="submits", disable=None) as bar:
        while any(annotator.is_alive() for annotator in annotators):
            time.sleep(1)
            done = sum(len(annotator.acknowledged) for annotator in annotators)
            bar.update(done - bar.n)
            if done > _TRAIN_AFTER * wanted:
                training.start()


class _Training:
    """One training beside the annotators."""

    def __init__(self, url: str, minutes: float) -> None:
        self._url, self._minutes = url, minutes
        self._asked = False
        self._guard = threading.Lock()

    def start(self) -> None:
        """Asks for it, once."""
        with self._guard:
            if not self._asked:
                request: dict[str, Any] = {"minutes": self._minutes, "device": "cpu"}
                requests.post(f"{self._url}/train/spss", json=request, timeout=300)
                self._asked = True

    def outcome(self) -> str:
        """What the server says of it, waited for."""
        deadline = time.monotonic() + 60 * self._minutes + 600
        while self._asked and time.monotonic() < deadline:
            stats = requests.get(f"{self._url}/info/", timeout=300).json()["train_stats"]["spss"]
            if "total_time" in stats:
                return str(stats.get("outcome"))
            time.sleep(5)
        return "none was asked for" if not self._asked else "did not end in time"


def _latencies(asked: list[Asked]) -> dict[str, dict[str, float]]:
    """Per endpoint: how many, median and 95th percentile in seconds."""
    table = {}
    for endpoint in sorted({each.endpoint for each in asked}):
        seconds = [each.seconds for each in asked if each.endpoint == endpoint]
        table[endpoint] = {
            "requests": len(seconds),
            "median_seconds": round(float(np.median(seconds)), 3),
            "p95_seconds": round(float(np.percentile(seconds, _PERCENTILE)), 3),
            "longest_seconds": round(max(seconds), 3),
        }
    return table
