"""The demo's rounds: draw, train, measure."""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spss.metrics import Summary
from spss.volumes import replace_atomically
from spss_apps.annotator import SimulatedAnnotator
from spss_apps.client import connect
from spss_apps.demo_record import DemoRecord, DrawnPlane, RoundRecord
from spss_apps.demo_report import write_demo_report
from spss_apps.demo_setup import Demo, DemoOptions
from spss_apps.measuring import dice_of, measure
from spss_apps.progress import progress_bar
from spss_apps.remote_training import train_remotely
from spss_apps.server import ServerProcess

if TYPE_CHECKING:
    from monailabel.client import MONAILabelClient


SEED_STRIDE = 10_000
"""Each plane's suggestion has a seed of its own; runs of different seeds share none."""


@dataclass(frozen=True)
class _Stage:
    """The parts that every stage of a round needs."""

    demo: Demo
    server: ServerProcess
    client: MONAILabelClient
    annotator: SimulatedAnnotator


def run_demo(demo: Demo, server: ServerProcess, *, started: float) -> tuple[DemoRecord, Path]:
    """All rounds, ``demo.json`` and the report.

    Args:
        demo: prepared folders.
        server: running.
        started: `time.perf_counter` at the start of the command.

    Returns:
        The numbers and the report's path.
    """
    out = demo.options.out
    client = connect(server.url, downloads=out / "downloads")
    annotator = SimulatedAnnotator(client, demo.pool, demo.class_names, folder=out / "drawn")
    stage = _Stage(demo, server, client, annotator)
    record = _new_record(demo)
    for number in range(1, demo.options.rounds + 1):
        record.rounds.append(_run_round(stage, number, len(record.planes)))
        record.seconds = time.perf_counter() - started
        _write_json(out / "demo.json", record)
    report = write_demo_report(demo, record, _served_model(demo))
    record.seconds = time.perf_counter() - started
    _write_json(out / "demo.json", record)
    return record, report


def _run_round(stage: _Stage, number: int, planes_before: int) -> RoundRecord:
    """Draw, train, measure."""
    options = stage.demo.options
    title = f"Round {number}/{options.rounds}"
    start = time.perf_counter()
    planes = _draw(stage, title, options.seed * SEED_STRIDE + planes_before)
    trained, train_seconds = _timed(lambda: _train(stage, title))
    summary, measure_seconds = _timed(lambda: _measure(stage, title))
    dice = {name: row["dice"] for name, row in summary.statistics.items()}
    return RoundRecord(
        planes=planes,
        planes_in_all=planes_before + len(planes),
        test_dice={name: statistic.mean for name, statistic in dice.items()},
        interval=dice["mean"].interval,
        outcome=str(trained.get("outcome", "")),
        train_seconds=train_seconds,
        measure_seconds=measure_seconds,
        seconds=time.perf_counter() - start,
    )


def _draw(stage: _Stage, title: str, first_seed: int) -> tuple[DrawnPlane, ...]:
    """The round's planes, one after another, each suggested after the one before was drawn."""
    options = stage.demo.options
    planes = []
    with progress_bar(f"{title} draw and propagate", options.planes) as bar:
        for number in range(options.planes):
            stage.server.check()
            planes.append(_draw_one(stage, first_seed + number))
            bar.update()
    return tuple(planes)


def _draw_one(stage: _Stage, seed: int) -> DrawnPlane:
    """Ask, draw, propagate; the truth is looked at afterwards, to say how good it was."""
    options, annotator = stage.demo.options, stage.annotator
    start = time.perf_counter()
    question = annotator.ask(options.strategy, axis=options.axis, seed=seed)
    understood = annotator.draw(question)
    draft = annotator.propagated(question.image_id)
    seconds = time.perf_counter() - start
    truth = annotator.truth(question.image_id)
    dice = dice_of(draft, truth, len(stage.demo.class_names))
    return DrawnPlane(question, understood, dice, seconds)


def _train(stage: _Stage, title: str) -> dict[str, Any]:
    """On the server, to its end."""
    options = stage.demo.options
    length = (
        {"iterations": options.iterations} if options.iterations else {"minutes": options.minutes}
    )
    params = {"method": options.method, "seed": options.seed, **length}
    with progress_bar(f"{title} train", 100) as bar:

        def show(share: float, text: str) -> None:
            """Moves the bar to where the server's training is."""
            bar.set_postfix_str(text, refresh=False)
            bar.update(max(0, int(100 * share) - bar.n))

        return train_remotely(stage.client, stage.server, params, on_progress=show)


def _measure(stage: _Stage, title: str) -> Summary:
    """The network that the server answers with, on the test volumes."""
    demo = stage.demo
    with progress_bar(f"{title} test", len(demo.test)) as bar:

        def on_case() -> None:
            """A server that died ends the measurement at the next volume."""
            stage.server.check()
            bar.update()

        return measure(stage.client, demo.test, demo.class_names, on_case=on_case)


def _timed(work: Callable[[], Any]) -> tuple[Any, float]:
    start = time.perf_counter()
    result = work()
    return result, time.perf_counter() - start


def _new_record(demo: Demo) -> DemoRecord:
    """What is known before the first round."""
    return DemoRecord(
        command=demo.options.command,
        data=demo.description,
        class_names=demo.class_names,
        volumes=len(demo.pool),
        test_volumes=len(demo.test),
        settings=_settings(demo.options),
    )


def _settings(options: DemoOptions) -> dict[str, str]:
    """Options, versions and machine: what somebody needs who compares two reports."""
    names = ("rounds", "planes", "axis", "minutes", "iterations", "method", "strategy", "seed")
    chosen = {name: str(getattr(options, name)) for name in names}
    unused = "minutes" if options.iterations else "iterations"
    del chosen[unused]
    packages = ("spss-monailabel", "monailabel", "monai", "torch")
    machine = {
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} CPU cores",
        "Python": platform.python_version(),
        **{name: version(name) for name in packages},
    }
    return chosen | machine


def _served_model(demo: Demo) -> Path:
    """Folder of the model that answers: published.json in the server's folder names it."""
    (pointer,) = demo.studies.rglob("published.json")
    return pointer.parent / json.loads(pointer.read_text(encoding="utf-8"))["version"]


def _write_json(path: Path, record: DemoRecord) -> None:
    with replace_atomically(path) as unfinished:
        unfinished.write_text(json.dumps(record.to_json(), indent=1), encoding="utf-8")
