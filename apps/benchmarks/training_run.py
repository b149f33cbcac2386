"""One training of the benchmark in a process of its own: train, predict, measure, one JSON file.

A process of its own, since peak memory can only be read for a whole process, and so that a crash
costs one row.
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import json
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import spss
from spss.datasets import (
    Annotations,
    Dataset,
    load_label_of,
    make_budget,
    open_decathlon,
    split,
)
from spss.metrics import METRICS, segmentation_scores, summarise
from spss.volumes import read_image, read_label, replace_atomically

if TYPE_CHECKING:
    from spss.inference import Predictor
    from spss.training import TrainingCase

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
        minutes: of training, on a CPU in processor time; None if iterations are given.
        device: ``auto``, ``cpu``, ``cuda``.
        variant: name of what differs from the method's defaults; empty for the method as it is.
        constants: field of the method's ``Config`` → value that differs.
    """

    data: str
    budget: str
    axis: int
    method: str
    seed: int
    iterations: int | None = None
    minutes: float | None = None
    device: str = "auto"
    variant: str = ""
    constants: dict[str, Any] = field(default_factory=dict, hash=False)

    @property
    def name(self) -> str:
        """Unique among runs; a file name."""
        length = f"{self.iterations}it" if self.iterations else f"{self.minutes:g}min"
        method = f"{self.method}-{self.variant}" if self.variant else self.method
        folder = Path(self.data).name
        return f"{folder}-{self.budget}-axis{self.axis}-{method}-{length}-seed{self.seed}"


def measure(run: Run, folder: Path) -> dict[str, Any]:
    """Trains on the budget, predicts the test split, and returns everything worth keeping."""
    # all that is needed is imported before the training: the code may change while it runs
    from spss.inference import Predictor
    from spss.methods.constants import make_config
    from spss.training import train

    code = code_digest()
    dataset = open_decathlon(run.data)
    annotations = make_budget(dataset, run.budget, run.axis, run.seed)
    cases = training_cases(dataset, annotations)
    start = time.perf_counter()
    result = train(
        cases,
        dataset.class_names,
        out=folder / "models" / run.name,
        method=run.method,
        method_config=make_config(run.method, run.constants),
        iterations=run.iterations,
        minutes=run.minutes,
        clock=_clock(run.device),
        seed=run.seed,
        device=run.device,
        cache=folder / "cache",
    )
    total = time.perf_counter() - start
    predictor = Predictor.load(result.folder, device=run.device)
    scores = _score(dataset, split(dataset)[LAST_CASES], predictor)
    return {
        "run": asdict(run),
        "code": code,
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


def code_digest() -> str:
    """Of what the library does: runs of one digest were made by the same code, comments aside."""
    root = Path(spss.__file__).parent
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)):
                node.body = [each for each in node.body if not _is_comment(each)]
        digest.update(path.relative_to(root).as_posix().encode() + ast.dump(tree).encode())
    return digest.hexdigest()[:12]


def _is_comment(statement: ast.stmt) -> bool:
    """A docstring, or a string under a constant that says what it is."""
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def _clock(device: str) -> Callable[[], float]:
    """On a CPU processor time, so that other jobs on the machine cost no method its steps."""
    from spss.training.options import pick_device

    return time.process_time if pick_device(device).type == "cpu" else time.monotonic


def training_cases(dataset: Dataset, annotations: Annotations) -> list[TrainingCase]:
    """The training split; volumes outside the annotations come without a label."""
    from spss.training import TrainingCase

    return [
        TrainingCase(
            case.name,
            case.image,
            load_label_of(case, annotations, class_count=len(dataset.class_names)),
        )
        for case in map(dataset.case, split(dataset)["train"])
    ]


def _score(dataset: Dataset, names: tuple[str, ...], predictor: Predictor) -> dict[str, Any]:
    """Per case and summarised; whole volumes on their own grid."""
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


def main(
    do: Callable[[Run, Path], dict[str, Any]] = measure, description: str | None = __doc__
) -> int:
    """``python -m spss_apps.benchmarks.training_run RUN_AS_JSON FOLDER``.

    Args:
        do: makes the document of a run; other studies have their own.
        description: for ``--help``.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("run", help="fields of Run as JSON")
    parser.add_argument("folder", type=Path)
    args = parser.parse_args()
    run = Run(**json.loads(args.run))
    document = do(run, args.folder)
    with replace_atomically(args.folder / f"{run.name}.json") as unfinished:
        unfinished.write_text(json.dumps(document, indent=1), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
