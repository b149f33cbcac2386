"""Does a large CT keep to the memory it is given? Peak of prediction, propagation and training.

A volume of the size of a CT is made (an ellipsoid body with organs in it), an untrained network is
planned for it as a training would plan, and each step runs in a process of its own, since the peak
can only be read for a whole process. What the network predicts does not matter here.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import tempfile
import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from spss.annotation import Plane, SparseLabel
from spss.types import ImageArray
from spss.volumes import Volume, write_map
from spss_apps.benchmarks.kills_child import Tell, run_and_kill

STEPS = ("predict", "propagate", "train")
_TRAINED_ON = 2
SPACING_MM = (0.8, 0.8, 1.0)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the measurement."""
    parser.add_argument("--shape", default="512x512x600")
    parser.add_argument("--classes", type=int, default=4, help="with background")
    parser.add_argument("--memory-gb", type=float, default=8.0, help="what each step may take")
    parser.add_argument("--step", choices=STEPS, action="append", help="default: all")
    parser.add_argument("--planned-mm", type=float, default=1.5, help="spacing of the network")
    parser.add_argument("--range", type=int, metavar="N", help="propagate N slices to each side")
    parser.add_argument("--dense", action="store_true", help="train on whole labels, not planes")
    parser.add_argument("--iterations", type=int, default=5, help="of the training")
    parser.add_argument("--out", type=Path, metavar="FILE")


def run(args: argparse.Namespace) -> int:
    """Prints budget and peak of each step; exit status 1 if a peak is over its budget."""
    shape = tuple(int(edge) for edge in args.shape.split("x"))
    rows = []
    for step in args.step or STEPS:
        ended = run_and_kill(lambda tell, step=step: _measure(step, shape, args, tell), None)  # type: ignore[misc]
        rows.append(ended.told[-1] if not ended.failed else {"step": step, "failed": True})
        print(json.dumps(rows[-1]), flush=True)
    if args.out:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        args.out.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    return int(any(row.get("failed") or row["peak_gb"] > row["budget_gb"] for row in rows))


def _measure(step: str, shape: Any, args: argparse.Namespace, tell: Tell) -> None:
    volume = _body(shape)
    tell({"ready": step})
    started, before = time.process_time(), _peak_gb()
    measured = {"predict": _predict, "propagate": _propagate, "train": _train}[step]
    said = measured(volume, args)
    tell(
        {
            "step": step,
            "shape": args.shape,
            "classes": args.classes,
            "budget_gb": args.memory_gb,
            "peak_gb": round(_peak_gb(), 2),
            "peak_before_gb": round(before, 2),
            "cpu_seconds": round(time.process_time() - started),
            "said": said,
        }
    )


def _predict(volume: Volume, args: argparse.Namespace) -> str:
    from spss.inference import Predictor
    from spss.networks import build_segmenter
    from spss.training.fingerprint import Fingerprint
    from spss.training.model_file import ModelConfig, save_model
    from spss.training.plan import make_plan

    spacing = np.full(3, args.planned_mm)
    planned = np.rint(np.array(volume.shape) * volume.spacing_mm / spacing).astype(int)
    fingerprint = Fingerprint(planned[None], spacing[None], np.linspace(0, 1, 50, dtype="f4"), {})
    plan = make_plan(fingerprint, memory_gb=args.memory_gb)
    plan = replace(plan, spacing_mm=tuple(spacing.tolist()))  # as fine as one trained with a GPU
    names = ("background", *(f"organ {number}" for number in range(1, args.classes)))
    network = build_segmenter(plan.architecture, class_count=args.classes, seed=0)
    with tempfile.TemporaryDirectory() as folder:
        save_model(Path(folder), ModelConfig(names, tuple(range(args.classes)), plan, {}), network)
        predictor = Predictor.load(folder, device="cpu", memory_gb=args.memory_gb)
    return " ".join(predictor.predict(volume).remarks)


def _propagate(volume: Volume, args: argparse.Namespace) -> str:
    from spss.propagation.bounded import propagate_within

    found = propagate_within(
        volume.data,
        _drawn(volume, args.classes),
        spacing_mm=volume.spacing_mm,
        class_count=args.classes,
        memory_gb=args.memory_gb - _peak_gb(),
        range_slices=args.range,
        threads=int(os.environ.get("OMP_NUM_THREADS", "2")),
    )
    return found.remark or "all voxels"


def _train(volume: Volume, args: argparse.Namespace) -> str:
    """On volumes of which each has one plane, and one that is held out."""
    from spss.training import TrainingCase, train

    said: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "body.nii"
        write_map(path, volume.data, like=volume)
        label = partial(_drawn, volume, args.classes, dense=args.dense)
        cases = [TrainingCase(f"body {n}", path, label) for n in range(_TRAINED_ON)]
        names = ("background", *(f"organ {number}" for number in range(1, args.classes)))
        train(
            cases,
            names,
            out=Path(folder) / "model",
            iterations=args.iterations,
            device="cpu",
            memory_gb=args.memory_gb,
            validation=[TrainingCase("held out", path, label)],
            say=said.append,
        )
    return " ".join(said)


def _drawn(volume: Volume, class_count: int, *, dense: bool = False) -> SparseLabel:
    """The middle plane, or every plane; each organ is a stripe of the body."""
    label = np.zeros(volume.shape, np.uint8)
    stripes = np.indices(volume.shape[:2])[0] * (class_count - 1) // volume.shape[0] + 1
    middle = volume.shape[2] // 2
    for index in range(volume.shape[2]) if dense else (middle,):
        label[..., index] = stripes * (volume.data[..., index] > 0)
    return SparseLabel.dense(label) if dense else SparseLabel.from_planes(label, [Plane(2, middle)])


def _body(shape: tuple[int, int, int]) -> Volume:
    """An ellipsoid of soft tissue with noise in air, float32, slice by slice."""
    rng = np.random.default_rng(0)
    data: ImageArray = np.empty(shape, np.float32)
    across = [np.linspace(-1.2, 1.2, size, dtype=np.float32) for size in shape]
    plane = across[0][:, None] ** 2 + across[1][None] ** 2
    noise = rng.normal(0, 12, shape[:2]).astype(np.float32)
    for index, height in enumerate(across[2]):
        inside = plane + 0.5 * height**2 < 1
        data[..., index] = np.where(inside, 40 + 30 * np.sin(8 * plane), -1000) + np.roll(
            noise, 37 * index
        )
    return Volume(data, np.diag([*SPACING_MM, 1.0]), "body")


def _peak_gb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9
