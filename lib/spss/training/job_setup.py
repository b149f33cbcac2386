"""From cases and options to a job that can run: plan, read, propagate, check."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from tqdm import tqdm

from spss.errors import InputError
from spss.methods import find_method
from spss.training.case import TrainingCase
from spss.training.checkpoint import read_checkpoint
from spss.training.distributed import first_goes_first, from_first, join_processes, own_device
from spss.training.job import CHECKPOINT, Job
from spss.training.options import TrainingOptions, pick_device
from spss.training.prepare import Preparation, prepare_cases
from spss.training.settings import TrainingSettings, check_same, decide


def prepare_job(
    cases: Sequence[TrainingCase],
    class_names: tuple[str, ...],
    options: TrainingOptions,
    *,
    out: Path,
    validation: Sequence[TrainingCase],
    resume: bool,
    say: Callable[[str], None],
) -> Job:
    """Plans, reads and propagates.

    Raises:
        InputError: if nothing can be trained on, or a checkpoint belongs to other data.
    """
    device = pick_device(options.device)
    join_processes(device)
    device = own_device(device)
    checkpoint = None
    if resume and (out / CHECKPOINT).is_file():
        checkpoint = read_checkpoint(out / CHECKPOINT, device)
        settings = TrainingSettings.from_json(checkpoint["settings"])
        check_same(options, settings)
    else:
        settings = TrainingSettings.from_json(
            from_first(lambda: decide(cases, class_names, options, device, say).to_json())
        )
    with first_goes_first():  # the others find everything in the cache
        prepared = _prepare(cases, settings, options, out, "Preparing")
    _say_what_became_of(prepared, settings, say)
    settings_now = settings.with_data(prepared.cases)
    if checkpoint is not None and settings_now != settings:
        msg = (
            "Volumes or annotations changed since the training to resume was started: train anew "
            "without --resume."
        )
        raise InputError(msg)
    held_out = _prepare(validation, settings, options, out, "Preparing validation")
    return Job(settings_now, prepared, held_out.cases, options, device, out, checkpoint)


def _prepare(
    cases: Sequence[TrainingCase],
    settings: TrainingSettings,
    options: TrainingOptions,
    out: Path,
    title: str,
) -> Preparation:
    """Under a bar; only what is trained on is propagated."""
    training = title == "Preparing"
    with tqdm(
        total=len(cases), desc=title, unit="volume", disable=not (options.show_progress and cases)
    ) as bar:
        return prepare_cases(
            cases,
            settings.plan,
            settings.classes,
            class_count=len(settings.class_names),
            with_pseudo_label=training and find_method(settings.method).needs_pseudo_label,
            propagator=options.propagator,
            cache=options.cache or out / "cache",
            on_case=lambda name: bar.update(),
        )


def _say_what_became_of(
    prepared: Preparation, settings: TrainingSettings, say: Callable[[str], None]
) -> None:
    """Tells a person what was left out, and refuses where nothing is left to learn from."""
    labelled = sum(case.is_labelled for case in prepared.cases)
    say(f"{len(prepared.cases)} volumes, {labelled} of them annotated.")
    for name, reason in prepared.skipped.items():
        say(f"Skipped {name}: {reason}")
    for name, reason in prepared.unpropagated.items():
        say(f"{name} trains on its annotation alone: {reason}")
    for name in settings.absent_classes:
        say(f"Nobody annotated {name}: the model will not predict it.")
    if not labelled:
        reasons = " ".join(list(prepared.skipped.values())[:3])
        msg = f"No volume has an annotation to learn from: annotate a plane first. {reasons}"
        raise InputError(msg.strip())
