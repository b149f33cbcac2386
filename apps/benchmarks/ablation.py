"""What each part of the method is worth: trainings with one part changed, paired with the whole.

Every run writes one JSON file; runs whose file is there already are not repeated. Each method has
a section of the page and a figure of its own, so that its steps may be its own, too. The default
takes the parts out of `spss` one by one, and puts each of the released code's defects A1 to A6 back
into the repaired `spss_reference`.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from spss_apps.benchmarks.ablation_report import draw, figure_name, report
from spss_apps.benchmarks.training_jobs import (
    DEFAULT_ITERATIONS,
    add_reuse_argument,
    add_study_arguments,
    finished,
    print_failures,
    run_study,
)
from spss_apps.benchmarks.training_page import usual_place, write_section
from spss_apps.benchmarks.training_variants import Variant, parse_variant
from spss_apps.benchmarks.variant_run import variant_run

DEFECTS = (
    "a1_integer_weights",
    "a2_double_softmax",
    "a3_misaligned_mask",
    "a4_few_unlabelled",
    "a5_self_mix",
    "a6_class_blind",
)
REPAIRED = dict.fromkeys(DEFECTS, False)

SPSS_VARIANTS = (
    Variant("spss", "no_su", {"selection": False}),
    Variant("spss", "class_blind_su", {"class_blind": True}),
    Variant("spss", "with_sc", {"contrast_weight": 0.1}),
    Variant("spss", "no_teacher", {"consistency_weight": 0.0}),
    Variant("spss", "no_reliability", {"reliability_power": 0.0}),
    Variant("spss", "no_ageing", {"learned_passes": 1e9}),
    Variant("spss", "no_decay", {"decay": 1.0}),
    Variant("spss", "no_far_trust", {"far_trust": 0.0}),
    Variant("spss", "fixed_truth_weight", {"truth_share": 1.0}),
    Variant("spss", "no_self_paced_trust", {"agreement_power": 0.0}),
    Variant("spss", "with_mixing", {"mix_share": 0.5}),
    Variant("spss", "with_feedback", {"registration_steps": 2}),
)

FIXED_REFERENCE = Variant("spss_reference", "fixed", REPAIRED)

REFERENCE_VARIANTS = (
    *(
        Variant("spss_reference", f"fixed_but_{name[:2]}", {**REPAIRED, name: True})
        for name in DEFECTS
    ),
    Variant("spss_reference", "fixed_no_su", {**REPAIRED, "selection": False}),
    Variant("spss_reference", "fixed_no_sc", {**REPAIRED, "contrast": False}),
    Variant("spss_reference", "fixed_no_refinement", {**REPAIRED, "teacher_share": 0.0}),
    Variant("spss_reference", "fixed_with_feedback", {**REPAIRED, "registration_steps": 2}),
    Variant("spss_reference"),
)

STUDIES: dict[str, tuple[Variant, tuple[Variant, ...]]] = {
    "spss": (Variant("spss"), SPSS_VARIANTS),
    "spss_reference": (FIXED_REFERENCE, REFERENCE_VARIANTS),
}
"""Method → the whole, and what is compared with it."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of ``benchmark.py ablation``."""
    add_study_arguments(parser, "ablation")
    add_reuse_argument(parser)
    parser.add_argument("--budget", default="1x20")
    parser.add_argument("--studies", nargs="+", default=list(STUDIES), choices=list(STUDIES))
    parser.add_argument("--only", nargs="+", metavar="NAME", help="some of the variants' names")
    parser.add_argument(
        "--variants",
        nargs="+",
        default=[],
        metavar="METHOD:NAME:CONSTANT=VALUE,...",
        help="further ones, compared with the whole of their method",
    )
    parser.add_argument("--iterations", type=int, default=DEFAULT_ITERATIONS)


def run(args: argparse.Namespace) -> int:
    """Runs what is missing, then writes table and figure of what there is."""
    studies = chosen_studies(args)
    runs = {
        variant.label: [
            variant_run(variant, seed, args, budget=args.budget, iterations=args.iterations)
            for seed in args.seeds
        ]
        for whole, others in studies
        for variant in (whole, *others)
    }
    # all variants of a seed before the next, so that an early report compares something
    order = [runs[label][place] for place in range(len(args.seeds)) for label in runs]
    failed = run_study(order, args)
    folders = [args.folder, *args.reuse]
    documents = {label: finished(each, folders) for label, each in runs.items()}
    for whole, others in studies:
        bars = compared(whole, others, documents)
        if bars:
            draw(bars, args.page.parent / "img" / figure_name(whole))
            text = report(bars, _command(args, whole.method))
            write_section(args.page, text, f"ablation_{whole.method}")
            print(text)
    return print_failures(failed)


def chosen_studies(args: argparse.Namespace) -> list[tuple[Variant, list[Variant]]]:
    """The wholes with the variants asked for.

    Raises:
        InputError: a further variant cannot be read.
    """
    further = [parse_variant(text) for text in args.variants]
    studies = []
    for name in args.studies:
        whole, others = STUDIES[name]
        kept = [each for each in others if not args.only or each.name in args.only]
        studies.append((whole, [*kept, *(each for each in further if each.method == name)]))
    return studies


def compared(
    whole: Variant, others: Sequence[Variant], documents: dict[str, list[dict[str, Any]]]
) -> list[tuple[Variant, list[dict[str, Any]], list[dict[str, Any]]]]:
    """Variant, its runs and the runs of its whole, where both have some; the whole comes first."""
    base = documents[whole.label]
    return [
        (variant, documents[variant.label], base)
        for variant in (whole, *others)
        if base and documents[variant.label]
    ]


def _command(args: argparse.Namespace, method: str) -> str:
    """What reproduces the section of one method."""
    known = [each.name for each in STUDIES[method][1]]
    only = [name for name in args.only or [] if name in known]
    further = [text for text in args.variants if text.partition(":")[0] == method]
    parts = [f"python apps/benchmark.py ablation --data {usual_place(args.data)}"]
    parts += [f"--budget {args.budget} --axis {args.axis} --iterations {args.iterations}"]
    parts += [f"--studies {method} --seeds {' '.join(map(str, args.seeds))}"]
    parts += [f"--only {' '.join(only)}"] if only else []
    parts += [f"--variants {' '.join(further)}"] if further else []
    return " ".join(parts)
