"""One training of the benchmark in a process of its own: train, predict, measure, one JSON file.

A process of its own, since peak memory can only be read for a whole process, and so that a crash
costs one row.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from spss.datasets import Dataset, load_label_of, make_budget, open_decathlon, split
from spss.metrics import METRICS, segmentation_scores, summarise
from spss.volumes import read_image, read_label, replace_atomically

LAST_CASES = "test"


@dataclass(frozen=True)
class Run:
    """What distinguishes one row's measurement from another.

    Attributes:
        data: Decathlon folder.
        budget: ``1x20``, ``2x20``, ``full20``, ``full`` and so on.
        axis: voxel axis of the first plane.
        method: name in `spss.methods.METHODS`.
        seed: of the budget and of the training.
        iterations: steps; None if minutes are given.
        minutes: of training; None if iterations are given.
        device: ``auto``, ``cpu``, ``cuda``.
    """

    data: str
    budget: str
    axis: int
    method: str
    seed: int
    iterations: int | None = None
    minutes: float | None = None
    device: str = "auto"

    @property
    def name(self) -> str:
        """Unique among runs; a file name."""
        length = f"{self.iterations}it" if self.iterations else f"{self.minutes:g}min"
        folder = Path(self.data).name
        return f"{folder}-{self.budget}-axis{self.axis}-{self.method}-{length}-seed{self.seed}"


def measure(run: Run, folder: Path) -> dict[str, Any]:
    """Trains on the budget, predicts the test split, and returns everything worth keeping."""
    from spss.training import TrainingCase, train

    dataset = open_decathlon(run.data)
    names = split(dataset)
    annotations = make_budget(dataset, run.budget, run.axis, run.seed)
    cases = [dataset.case(name) for name in names["train"]]
    start = time.perf_counter()
    result = train(
        [
            TrainingCase(
                case.name,
                case.image,
                load_label_of(case, annotations, class_count=len(dataset.class_names)),
            )
            for case in cases
        ],
        dataset.class_names,
        out=folder / "models" / run.name,
        method=run.method,
        iterations=run.iterations,
        minutes=run.minutes,
        seed=run.seed,
        device=run.device,
        cache=folder / "cache",
    )
    total = time.perf_counter() - start
    scores = _score(dataset, names[LAST_CASES], result.folder, run.device)
    return {
        "run": asdict(run),
        "plan": result.plan.in_words(),
        "volumes": len(cases),
        "annotated": len(annotations),
        "iterations": result.iterations,
        "training_seconds": result.seconds,
        "seconds_with_preparation": total,
        "cpu_seconds": time.process_time(),
        "peak_rss_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6,
        "peak_gpu_gb": _peak_gpu_gb(),
        **scores,
    }


def _score(dataset: Dataset, names: tuple[str, ...], model: Path, device: str) -> dict[str, Any]:
    """Per case and summarised; whole volumes on their own grid."""
    from spss.inference import Predictor

    predictor = Predictor.load(model, device=device)
    scores = []
    start = time.perf_counter()
    for name in names:
        case = dataset.case(name)
        volume = read_image(case.image)
        assert case.label is not None  # the benchmark's sets are labelled throughout
        truth = read_label(case.label, like=volume)
        scores.append(
            segmentation_scores(
                predictor.predict(volume).classes,
                truth,
                spacing_mm=volume.spacing_mm,
                class_count=len(dataset.class_names),
            )
        )
    return {
        "prediction_seconds": time.perf_counter() - start,
        "summary": summarise(scores, dataset.class_names).as_json(),
        "cases": {
            name: {metric: score.of(metric).tolist() for metric in METRICS}
            for name, score in zip(names, scores, strict=True)
        },
    }


def _peak_gpu_gb() -> float | None:
    import torch

    return torch.cuda.max_memory_allocated() / 1e9 if torch.cuda.is_available() else None


def main() -> int:
    """``python -m spss_apps.benchmarks.training_run RUN_AS_JSON FOLDER``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", help="fields of Run as JSON")
    parser.add_argument("folder", type=Path)
    args = parser.parse_args()
    run = Run(**json.loads(args.run))
    document = measure(run, args.folder)
    with replace_atomically(args.folder / f"{run.name}.json") as unfinished:
        unfinished.write_text(json.dumps(document, indent=1), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
