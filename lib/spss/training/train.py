"""From volumes and sparse labels to a trained model in a folder."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import ignite.distributed as idist
import torch

from spss.memory import is_out_of_memory
from spss.training.budget import Budget
from spss.training.case import TrainingCase
from spss.training.job import CHECKPOINT, Job
from spss.training.job_setup import prepare_job
from spss.training.options import TrainingOptions, TrainingResult, training_options

_MOST_PLANS = 3
"""Attempts, each with half the memory of the one before."""


def train(
    cases: Sequence[TrainingCase],
    class_names: Sequence[str],
    *,
    out: Path,
    method: str = "spss",
    iterations: int | None = None,
    minutes: float | None = None,
    clock: Callable[[], float] = time.monotonic,
    seed: int = 0,
    device: str = "auto",
    resume: bool = False,
    memory_gb: float | None = None,
    validation: Sequence[TrainingCase] = (),
    on_progress: Callable[[dict[str, Any]], None] | None = None,
    should_stop: Callable[[], bool] | None = None,
    say: Callable[[str], None] = lambda message: None,
    **options: Any,
) -> TrainingResult:
    """Trains a network on sparse labels and writes it to ``out``.

    Where memory runs out, it starts anew with a plan for half of it, twice at most, and says so.

    Args:
        cases: volumes, labelled and not.
        class_names: ``class_names[0]`` is the background.
        out: folder; an existing model there is replaced only at the end.
        method: name in `spss.methods.METHODS`.
        iterations: steps; 600 if neither this nor ``minutes`` is given.
        minutes: of training, without preparation.
        clock: what counts the minutes, in seconds; see `spss.training.budget.Budget`.
        seed: the same seed gives the same weights on a CPU when iterations are counted.
        device: ``auto`` takes a GPU if there is one.
        resume: go on from ``out``'s checkpoint if there is one.
        memory_gb: what the plan may use; None = half of what is free.
        validation: labelled cases that are scored on their annotated voxels each round.
        on_progress: called with ``epoch``, ``total_epochs``, ``best_metric``, … from epoch 0 on.
        should_stop: asked after each step; a file named ``stop`` in ``out`` stops as well.
        say: takes sentences for a person: the plan, what was skipped, what is absent.
        **options: further fields of `TrainingOptions`.

    Raises:
        InputError: nothing to train on, an unknown method or option, or a checkpoint that does not
            fit.
    """
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    chosen = training_options(
        method=method, seed=seed, device=device, memory_gb=memory_gb, **options
    )
    budget = Budget(iterations=iterations, minutes=minutes, clock=clock)
    prepare = partial(
        prepare_job, cases, tuple(class_names), out=out, validation=validation, say=say
    )

    def run(job: Job) -> TrainingResult:
        """One attempt; each has the whole budget, since nothing of one that failed is kept."""
        return job.run(replace(budget), on_progress, should_stop or (lambda: False))

    return _within_memory(prepare, run, chosen, resume, say)


def _within_memory(
    prepare: Callable[..., Job],
    run: Callable[[Job], TrainingResult],
    chosen: TrainingOptions,
    resume: bool,
    say: Callable[[str], None],
) -> TrainingResult:
    """Prepares and runs until a plan fits the memory; the last plan's error is the caller's."""
    for left in reversed(range(_MOST_PLANS)):
        job = prepare(chosen, resume=resume)
        try:
            return run(job)
        except (RuntimeError, MemoryError) as error:
            alone = idist.get_world_size() == 1  # others would wait for this process for ever
            if left == 0 or not alone or not is_out_of_memory(error):
                raise
        chosen, resume = _plan_for_less(job, chosen, say), False
        del job
        _release()
    raise AssertionError  # the last round returns or raises


def _plan_for_less(
    job: Job, chosen: TrainingOptions, say: Callable[[str], None]
) -> TrainingOptions:
    """Options with half the memory; what was trained belongs to larger patches and is left."""
    planned_gb = job.settings.plan.memory_gb
    say(
        f"Memory ran out with a plan for {planned_gb:.1f} GB: training starts anew with a plan for "
        f"{planned_gb / 2:.1f} GB."
    )
    (job.out / CHECKPOINT).unlink(missing_ok=True)
    return replace(chosen, memory_gb=planned_gb / 2)


def _release() -> None:
    """Gives back what the failed attempt held; its error's traceback held it until here."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
