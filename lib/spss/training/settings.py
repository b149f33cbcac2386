"""What a training decided before its first step, and what a resumed one must share with it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch

from spss.errors import InputError
from spss.memory import SHARE, free_memory_gb
from spss.methods import Method, find_method
from spss.networks import Segmenter, build_segmenter
from spss.training.acceleration import Acceleration, probe
from spss.training.case import PreparedCase, TrainingCase
from spss.training.fingerprint import take_fingerprint
from spss.training.options import TrainingOptions
from spss.training.plan import Plan, make_plan
from spss.training.prepare import find_classes


@dataclass(frozen=True)
class TrainingSettings:
    """Decided once, kept in every checkpoint.

    Attributes:
        class_names: of the data set, background first.
        classes: those that somebody annotated; one output of the network each.
        plan: see `Plan`.
        method: name in the registry.
        method_config: the method's constants.
        seed: of weights, batches and noise.
        acceleration: precision and layout.
        data: digest of the prepared volumes' names and annotations; empty until they are prepared.
    """

    class_names: tuple[str, ...]
    classes: tuple[int, ...]
    plan: Plan
    method: str
    method_config: dict[str, Any]
    seed: int
    acceleration: Acceleration
    data: str = ""

    @property
    def absent_classes(self) -> tuple[str, ...]:
        """Names of the classes that nobody annotated."""
        return tuple(
            name for index, name in enumerate(self.class_names) if index not in self.classes
        )

    def make_method(self, device: torch.device) -> Method:
        """The method with its constants."""
        kind = find_method(self.method)
        config = kind.Config(**self.method_config)
        return kind(config, class_count=len(self.classes), device=device)

    def make_network(self, device: torch.device) -> Segmenter:
        """The network with its initial weights."""
        return _network(self.plan, len(self.classes), self.method, self.seed, device)

    def with_data(self, cases: Iterable[PreparedCase]) -> TrainingSettings:
        """The same with the digest of what was prepared."""
        digest = hashlib.sha256()
        for case in cases:
            digest.update(f"{case.name} {tuple(case.image.shape)} ".encode())
            if case.is_labelled:
                digest.update(case.truth.numpy().tobytes())
        return replace(self, data=digest.hexdigest())

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> TrainingSettings:
        """Inverse of ``to_json``."""
        return cls(
            **{
                **values,
                "class_names": tuple(values["class_names"]),
                "classes": tuple(values["classes"]),
                "plan": Plan.from_json(values["plan"]),
                "acceleration": Acceleration(**values["acceleration"]),
            }
        )


def decide(
    cases: Sequence[TrainingCase],
    class_names: tuple[str, ...],
    options: TrainingOptions,
    device: torch.device,
    say: Callable[[str], None],
) -> TrainingSettings:
    """Looks at the data and plans.

    Raises:
        InputError: if no image can be read.
    """
    fingerprint = take_fingerprint(cases)
    memory_gb = options.memory_gb or SHARE * free_memory_gb(device)
    classes = find_classes(cases, len(class_names))
    plan = make_plan(
        fingerprint,
        memory_gb=memory_gb,
        class_count=len(classes),
        on_gpu=device.type == "cuda",
    )
    if options.batch_size is not None:
        plan = replace(plan, batch_size=options.batch_size)
    say(f"Plan: {plan.in_words()}")
    config = options.method_config or find_method(options.method).Config()
    acceleration = Acceleration(options.precision)
    if options.precision == "auto":
        network = _network(plan, len(classes), options.method, options.seed, device)
        acceleration = probe(network, (plan.batch_size, 1, *plan.patch_size), device)
    say(f"Device: {device}, {acceleration.in_words()}.")
    return TrainingSettings(
        class_names, classes, plan, options.method, asdict(config), options.seed, acceleration
    )


def check_same(given: TrainingOptions, kept: TrainingSettings) -> None:
    """Raises InputError if a resumed training was asked for with another method or seed.

    Or with other constants of the method; where none are given, those of before go on.
    """
    asked: dict[str, Any] = {"method": given.method, "seed": given.seed}
    had: dict[str, Any] = {"method": kept.method, "seed": kept.seed}
    if given.method == kept.method and given.method_config is not None:
        asked |= asdict(given.method_config)
        had |= kept.method_config
    for what, now in asked.items():
        before = had.get(what)
        if now != before:
            msg = (
                f"The training to resume has {what} {before!r}, but {now!r} was asked for: use "
                f"{before!r}, or train anew without --resume."
            )
            raise InputError(msg)


def _network(
    plan: Plan, class_count: int, method: str, seed: int, device: torch.device
) -> Segmenter:
    """With an embedding only where the method needs one."""
    network = build_segmenter(
        plan.architecture,
        class_count=class_count,
        embedding_channels=find_method(method).embedding_channels,
        seed=seed,
    )
    return network.to(device)
