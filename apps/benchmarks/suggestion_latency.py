"""How long "next sample" takes with many volumes: the real server parts, synthetic scores."""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from spss.annotation import Plane, folder_name
from spss.suggestion import PlaneScores, ScoreNote, score_planes, summarise_organ
from spss.volumes import Grid, write_map

SHAPE = (16, 18, 14)
CLASSES = ("background", "front", "back")
FEATURES = 64
MODEL = "synthetic"


@dataclass(frozen=True)
class Latency:
    """Of "next sample" with some number of volumes, in a process that has just started.

    Attributes:
        volumes: in the datastore, all scored.
        first_seconds: the first answer, which reads every file.
        seconds: median of the answers after that.
        slowest_seconds: of these.
        cpu_seconds: median of the processor's time in them, what an idle machine would take.
    """

    volumes: int
    first_seconds: float
    seconds: float
    slowest_seconds: float
    cpu_seconds: float


def measure_latency(volumes: int, *, answers: int = 10) -> Latency:
    """Builds a studies folder with synthetic scores and asks for the next sample again and again.

    A hundred volumes have an annotated plane. On a busy machine the wall-clock is an upper bound.
    No network is published: the prediction for the draft of a volume without planes, whose time is
    the network's, comes on top.
    """
    with tempfile.TemporaryDirectory(prefix="spss-latency-") as folder:
        app = _app(Path(folder), volumes)
        seconds, cpu = [], []
        for number in range(answers + 1):
            start, cpu_start = time.perf_counter(), time.process_time()
            answer = app.next_sample({"strategy": "self_paced", "client_id": f"client {number}"})
            seconds.append(time.perf_counter() - start)
            cpu.append(time.process_time() - cpu_start)
            assert answer["suggestion"]["reason"]
    later = seconds[1:]
    median = float(np.median(later))
    return Latency(volumes, seconds[0], median, max(later), float(np.median(cpu[1:])))


def latency_table(rows: list[Latency]) -> str:
    """Markdown."""
    lines = [
        "| volumes | processor time of an answer, ms | wall-clock, ms | slowest "
        "| first answer after the server's start |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {row.volumes:,} | {1000 * row.cpu_seconds:.0f} | {1000 * row.seconds:.0f} "
        f"| {1000 * row.slowest_seconds:.0f} "
        f"| {1000 * row.first_seconds:.0f} |"
        for row in rows
    ]
    return "\n".join(lines)


def _app(folder: Path, volumes: int) -> Any:
    """A server's application on so many copies of one volume, some of them drawn in."""
    from spss_app.app import SpssApp

    studies = folder / "studies"
    rng = np.random.default_rng(0)
    grid = Grid(SHAPE, np.eye(4))
    first = studies / "volume_00000.nii.gz"
    write_map(first, rng.normal(100, 20, SHAPE).astype(np.float32), like=grid)
    names = [f"volume_{index:05d}" for index in range(volumes)]
    for name in names[1:]:
        shutil.copyfile(first, studies / f"{name}.nii.gz")
    app_dir = folder / "app"
    app_dir.mkdir()
    app = SpssApp(str(app_dir), str(studies), {"labels": ",".join(CLASSES[1:])})
    _write_scores(app.project.studies.own, names, rng)
    label = np.zeros(SHAPE, np.uint8)
    label[8, 6:10, 5:9] = 1
    for name in names[:: max(1, volumes // 100)]:
        app.project.ledger.record(name, label, [Plane(0, 8)], class_names=CLASSES, affine=np.eye(4))
    return app


def _write_scores(own: Path, names: list[str], rng: np.random.Generator) -> None:
    """The files that scoring leaves; not through `Notes`, whose writes wait for the disk."""
    notes = [_note(rng) for _ in range(20)]
    for kind in ("scores", "organs"):
        (own / kind).mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(names):
        note, organ = notes[number % len(notes)]
        (own / "scores" / f"{folder_name(name)}.json").write_text(note, encoding="utf-8")
        (own / "organs" / f"{folder_name(name)}.json").write_text(organ, encoding="utf-8")


def _note(rng: np.random.Generator) -> tuple[str, str]:
    """Scores of a made-up prediction, as the server keeps them."""
    classes = np.zeros(SHAPE, np.uint8)
    low = rng.integers(2, 5, 3)
    classes[low[0] : low[0] + 8, low[1] : low[1] + 8, low[2] : low[2] + 7] = 1
    classes[low[0] + 4 : low[0] + 8, low[1] : low[1] + 8, low[2] : low[2] + 7] = 2
    entropy = rng.random(SHAPE).astype(np.float32) ** 3
    scores: PlaneScores = score_planes(
        classes, entropy, spacing_mm=(1.0, 1.0, 1.0), class_count=len(CLASSES)
    )
    features = rng.normal(size=FEATURES).astype(np.float32)
    note = ScoreNote(MODEL, CLASSES, scores, features)
    organ = summarise_organ(classes, spacing_mm=(1.0, 1.0, 1.0))
    assert organ is not None
    return json.dumps(note.to_json()), json.dumps(organ.to_json())
