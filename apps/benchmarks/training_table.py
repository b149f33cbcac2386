"""The benchmark's runs as a table and a figure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from spss.volumes import replace_atomically
from spss_apps.benchmarks.training_variants import Variant

DENSE = "full"
"""How the names of budgets with dense labels begin."""

Document = dict[str, Any]
Group = tuple[str, str, str]
"""Data set, budget, method with its variant."""


def grouped(documents: Sequence[Document]) -> dict[Group, list[Document]]:
    """Runs that differ by nothing but the seed, in the order of first appearance."""
    groups: dict[Group, list[Document]] = {}
    for document in documents:
        run = document["run"]
        key = (Path(run["data"]).name, run["budget"], method_label(run))
        groups.setdefault(key, []).append(document)
    return groups


def method_label(run: dict[str, Any]) -> str:
    """The method, and its variant if it has one; files of older runs know none."""
    return Variant(run["method"], run.get("variant", "")).label


def table(documents: Sequence[Document]) -> str:
    """Markdown, one row per data set, budget and method."""
    lines = [
        "| set | budget | method | seeds | Dice per class | mean Dice ± 95 % | 5th percentile "
        "| HD95 mm | ASD mm | steps | training s | peak RSS GB |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for (data, budget, method), runs in grouped(documents).items():
        mean, half = _dice(runs)
        spread = "" if np.isnan(half) else f" ± {half:.3f}"
        classes = [name for name in runs[0]["summary"] if name != "mean"]
        per_class = ", ".join(
            f"{name} {np.mean(over_seeds(runs, name, 'dice')):.3f}" for name in classes
        )
        lines.append(
            f"| {data} | {budget} | {method} | {len(runs)} | {per_class} "
            f"| **{mean:.3f}**{spread} | {np.percentile(case_dice(runs), 5):.3f} "
            f"| {np.mean(over_seeds(runs, 'mean', 'hd95_mm')):.2f} "
            f"| {np.mean(over_seeds(runs, 'mean', 'asd_mm')):.2f} "
            f"| {np.mean([run['iterations'] for run in runs]):.0f} "
            f"| {np.mean([run['training_seconds'] for run in runs]):.0f} "
            f"| {max(run['peak_rss_gb'] for run in runs):.1f} |"
        )
    return "\n".join(lines)


def overview(documents: Sequence[Document]) -> str:
    """Markdown, one row per data set and budget, one column per method; dense labels at the end."""
    groups = grouped(documents)
    sparse = dict.fromkeys((d, b) for d, b, _ in groups if not b.startswith(DENSE))
    dense = sorted({b for _, b, _ in groups if b.startswith(DENSE)}, key=len, reverse=True)
    methods = list(dict.fromkeys(m for _, b, m in groups if not b.startswith(DENSE)))
    columns = [*methods, *(f"{budget} (masked)" for budget in dense)]
    lines = [f"| set, budget | {' | '.join(columns)} |", "|---" * (len(columns) + 1) + "|"]
    for data, budget in sparse:
        keys = [(data, budget, m) for m in methods] + [(data, b, "masked") for b in dense]
        cells = [_cell(groups.get(key, [])) for key in keys]
        lines.append(f"| {data} {budget} | {' | '.join(cells)} |")
    return "\n".join(lines) if sparse else ""


def _cell(runs: Sequence[Document]) -> str:
    """Mean Dice with its interval over seeds, or without one for a single seed."""
    if not runs:
        return ""
    mean, half = _dice(runs)
    return f"{mean:.3f} (1 seed)" if np.isnan(half) else f"{mean:.3f} ± {half:.3f}"


def interval(values: Sequence[float]) -> tuple[float, float]:
    """Mean and half-width of its 95 % interval (Student's t over seeds); NaN for one seed."""
    array = np.asarray(values, float)
    if len(array) < 2:
        return float(array.mean()), float("nan")
    half = stats.t.ppf(0.975, len(array) - 1) * stats.sem(array)
    return float(array.mean()), float(half)


def case_dice(runs: Sequence[Document]) -> list[float]:
    """Mean Dice over classes of every test case of every run."""
    return [float(np.nanmean(case["dice"])) for run in runs for case in run["cases"].values()]


@dataclass(frozen=True)
class Difference:
    """Of two methods' Dice, on the same cases with the same seeds.

    Attributes:
        mean: over all pairs.
        pairs: 95 % half-width over the pairs of case and seed, taken as independent: what another
            draw of patients would change.
        seeds: the same over the seeds' means, which also sees that a seed's cases share its planes
            and its training; with three seeds it is wide. NaN for one seed.
    """

    mean: float
    pairs: float
    seeds: float

    def __str__(self) -> str:
        over_seeds = "" if np.isnan(self.seeds) else f", ± {self.seeds:.3f} over seeds"
        return f"{self.mean:+.3f} ± {self.pairs:.3f} over pairs{over_seeds}"


def paired_difference(ours: Sequence[Document], theirs: Sequence[Document]) -> Difference | None:
    """Difference in Dice, paired over seeds and cases; None without a common seed."""
    by_seed = {run["run"]["seed"]: run["cases"] for run in theirs}
    differences = [
        [
            float(np.nanmean(case["dice"]) - np.nanmean(by_seed[run["run"]["seed"]][name]["dice"]))
            for name, case in run["cases"].items()
        ]
        for run in ours
        if run["run"]["seed"] in by_seed
    ]
    if not differences:
        return None
    mean, pairs = interval(np.ravel(differences).tolist())
    return Difference(mean, pairs, interval([float(np.mean(one)) for one in differences])[1])


def draw(documents: Sequence[Document], path: Path) -> None:
    """Bars of mean Dice with intervals, one group per set and budget."""
    from matplotlib.figure import Figure

    groups = grouped(documents)
    settings = list(dict.fromkeys((data, budget) for data, budget, _ in groups))
    methods = list(dict.fromkeys(method for _, _, method in groups))
    places = _places(groups)
    figure = Figure(figsize=(2.5 + 0.45 * max(places.values()), 3.6), layout="constrained")
    axes = figure.add_subplot()
    for method in methods:
        bars = [(places[key], *_dice(runs)) for key, runs in groups.items() if key[2] == method]
        where, means, halves = zip(*bars, strict=True)
        axes.bar(where, means, 0.9, yerr=halves, capsize=2, label=method)
    middles = [np.mean([places[key] for key in groups if key[:2] == each]) for each in settings]
    names = [f"{data.split('_')[-1]}\n{budget}" for data, budget in settings]
    axes.set_xticks(middles, names, fontsize="small")
    axes.set_ylabel("mean test Dice, 95 % interval over seeds")
    axes.set_ylim(0, 1)
    axes.grid(axis="y", alpha=0.3)
    figure.legend(fontsize="small", loc="outside right upper")
    with replace_atomically(path) as unfinished:
        figure.savefig(unfinished, dpi=130)


def _dice(runs: Sequence[Document]) -> tuple[float, float]:
    return interval(over_seeds(runs, "mean", "dice"))


def _places(groups: dict[Group, list[Document]]) -> dict[Group, float]:
    """Where each bar stands: side by side within a set and budget, a gap before the next."""
    places: dict[Group, float] = {}
    x, before = 0.0, None
    for key in groups:
        x += 1.0 if before in (None, key[:2]) else 2.6
        places[key], before = x, key[:2]
    return places


def over_seeds(runs: Sequence[Document], name: str, metric: str) -> list[float]:
    """A summary's number in each run; ``name`` is a class or ``mean``."""
    values = [run["summary"][name][metric]["mean"] for run in runs]
    return [float("nan") if value is None else float(value) for value in values]
