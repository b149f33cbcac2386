"""Steps of the real trainer on one made-up batch, timed; a process of its own measures memory."""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from spss.errors import InputError
from spss.methods.constants import make_config

if TYPE_CHECKING:
    from spss.methods import Batch
    from spss.training.engine import TrainingState

PROGRESS = 0.8
"""Share of the training at which steps are timed: every term of every method is in force."""

SPACING_MM = (1.0, 1.0, 1.0)
_STEPS = 10_000
"""Nominal length, so that the timed steps do not move the schedules."""


@dataclass(frozen=True)
class Probe:
    """What is timed.

    Attributes:
        method: name in `spss.methods.METHODS`.
        constants: fields of its ``Config`` that differ from the defaults.
        patch: voxels of a patch.
        labelled: labelled patches in a batch; those without a label come on top.
        unlabelled: patches without a label.
        classes: background included.
        precision: as in `spss.training.TrainingOptions`, but not ``auto``.
        embedding: channels of the projection head, the same for all that are compared.
    """

    method: str
    constants: dict[str, Any] = field(default_factory=dict, hash=False)
    patch: tuple[int, int, int] = (64, 64, 64)
    labelled: int = 2
    unlabelled: int = 2
    classes: int = 2
    precision: str = "float32"
    embedding: int = 64


class ProbedTrainer:
    """The trainer of one probe; each call of ``step`` goes on from the last.

    A step is what `SparseTrainer` does with a batch: the method's passes and losses, the gradient,
    optimiser, moving average, and what the method does after it. Reading, cutting and changing
    patches is not part of it. The planned network for the patch is used.
    """

    def __init__(self, probe: Probe) -> None:
        self._batch = make_batch(probe)
        self._training = _make_state(probe)

    def step(self) -> float:
        """CPU seconds of one step, over all threads."""
        import torch
        from ignite.engine import Events

        from spss.training.engine import SparseTrainer

        trainer = SparseTrainer(
            self._training, [self._batch], device=torch.device("cpu"), should_stop=lambda: True
        )
        times: list[float] = []
        for event in (Events.ITERATION_STARTED, Events.ITERATION_COMPLETED):
            trainer.add_event_handler(event, lambda engine: times.append(time.process_time()))
        trainer.run()
        if self._training.refused:
            raise InputError("The probed step gave a loss that is no number: nothing was timed.")
        return times[1] - times[0]

    def peak_gb(self) -> float:
        """Peak of the tensors alive that one further step makes; slower than a plain step."""
        from spss.contrast.memory import LiveBytes

        with LiveBytes() as live:
            self.step()
        return live.peak / 1e9


def make_batch(probe: Probe) -> Batch:
    """Noise around one ball per class; the first ``labelled`` volumes have a plane and soft labels.

    Every class is present, so that no loss is skipped; values do not matter for the time.
    """
    import torch

    from spss.methods import Batch
    from spss.types import UNDECIDED

    count = probe.labelled + probe.unlabelled
    anatomy = _balls(probe.patch, probe.classes)
    noise = torch.randn(count, 1, *probe.patch, generator=torch.Generator().manual_seed(0))
    known = (torch.arange(count) < probe.labelled).float().reshape(count, 1, 1, 1)
    middle = probe.patch[2] // 2
    truth = torch.full((count, *probe.patch), UNDECIDED)
    truth[: probe.labelled, ..., middle] = anatomy[..., middle]
    away = (torch.arange(probe.patch[2]) - middle).abs().float().expand(count, *probe.patch)
    soft = torch.nn.functional.one_hot(anatomy, probe.classes).movedim(-1, 0)[None].float()
    return Batch(
        names=tuple(f"volume{index}" for index in range(count)),
        image=anatomy.float() / probe.classes + 0.2 * noise,
        truth=truth,
        valid=torch.ones(count, *probe.patch, dtype=torch.bool),
        pseudo_label=soft * known[:, None],
        reliability=(0.9 * known).expand(count, *probe.patch).clone(),
        distance=torch.where(known > 0, away, torch.inf),
        spacing_mm=SPACING_MM,
    )


def measure_alone(probe: Probe, steps: int) -> dict[str, float]:
    """Median CPU seconds and peak memory of a probe in a process of its own, one thread.

    Returns:
        ``seconds``, ``peak_gb`` of the process and ``step_gb`` by which the steps raised it.

    Raises:
        InputError: the process failed, for instance for want of memory.
    """
    command = [sys.executable, "-m", __name__, json.dumps(asdict(probe)), str(steps)]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
        msg = f"Steps of {probe.method} on patches {probe.patch} could not be measured: {reason}"
        raise InputError(msg)
    result: dict[str, float] = json.loads(done.stdout)
    return result


def load_in_words() -> str:
    """How busy the machine is, for the reader of a time."""
    return f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"


def _balls(patch: tuple[int, int, int], classes: int) -> Any:
    """A class a ball, along a diagonal: something to segment without any data."""
    import torch

    anatomy = torch.zeros(patch, dtype=torch.int64)
    axes = [torch.linspace(0, 1, edge) for edge in patch]
    x, y, z = torch.meshgrid(*axes, indexing="ij")
    for index in range(1, classes):
        centre = index / classes
        inside = (x - centre) ** 2 + (y - centre) ** 2 + (z - 0.5) ** 2 < 0.04
        anatomy[inside] = index
    return anatomy


def _make_state(probe: Probe) -> TrainingState:
    """A training before its first step, with the probe's method and shapes."""
    import torch

    from spss.methods import find_method
    from spss.networks import build_segmenter
    from spss.training.acceleration import Acceleration
    from spss.training.budget import Budget
    from spss.training.engine import TrainingState
    from spss.training.network_plan import SMALL, plan_architecture
    from spss.training.optimiser import make_optimiser
    from spss.training.teacher import make_teacher

    cpu = torch.device("cpu")
    student = build_segmenter(
        plan_architecture(probe.patch, SPACING_MM, SMALL),
        class_count=probe.classes,
        embedding_channels=probe.embedding,
    )
    config = make_config(probe.method, probe.constants)
    method = find_method(probe.method)(config, class_count=probe.classes, device=cpu)
    return TrainingState(
        student=student,
        teacher=make_teacher(student),
        method=method,
        optimiser=make_optimiser([*student.parameters(), *method.parameters()]),
        budget=Budget(iterations=_STEPS, iteration=round(PROGRESS * _STEPS)),
        generator=torch.Generator().manual_seed(0),
        acceleration=Acceleration(probe.precision),
    )


def _peak_gb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def main() -> int:
    """``python -m spss_apps.benchmarks.step_probe PROBE_AS_JSON STEPS``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("probe", help="fields of Probe as JSON")
    parser.add_argument("steps", type=int)
    args = parser.parse_args()
    values = json.loads(args.probe)
    trainer = ProbedTrainer(Probe(**{**values, "patch": tuple(values["patch"])}))
    before = _peak_gb()
    seconds = sorted(trainer.step() for _ in range(args.steps + 1))
    # the slowest is the one that warmed up; it counts only if it is alone
    median = seconds[args.steps // 2]
    print(json.dumps({"seconds": median, "peak_gb": _peak_gb(), "step_gb": _peak_gb() - before}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
