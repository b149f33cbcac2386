"""The training of a variant as a study's options want it."""

from __future__ import annotations

import argparse

from spss_apps.benchmarks.training_run import Run
from spss_apps.benchmarks.training_variants import Variant


def variant_run(
    variant: Variant,
    seed: int,
    args: argparse.Namespace,
    *,
    budget: str,
    iterations: int | None,
    minutes: float | None = None,
) -> Run:
    """One training; what a study does not vary comes from its options."""
    return Run(
        data=str(args.data),
        budget=budget,
        axis=args.axis,
        method=variant.method,
        seed=seed,
        iterations=iterations,
        minutes=minutes,
        device=args.device,
        variant=variant.name,
        constants=variant.constants,
    )
