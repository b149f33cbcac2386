"""Kills writers, trainings and servers at random moments and looks for what was lost.

Every kill is SIGKILL at a moment drawn at random. After each one the folder is opened as a server
opens it that starts: every acknowledged plane must be there bit by bit, every file readable, the
final labels equal to the ledger, the published network able to answer.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from spss_apps.benchmarks.kills_child import run_and_kill
from spss_apps.benchmarks.kills_store import Verdict, check, make_studies, write_without_end

_FOLDER_LASTS = 40
"""Kills until a fresh folder is taken: reading every version after each kill takes longer and
longer."""

_LONGEST_WRITER_SECONDS = 0.4
_KILLS_PER_TRAINING = 3


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the measurement."""
    parser.add_argument("--writers", type=int, default=1000, metavar="N", help="kills of writers")
    parser.add_argument("--trainings", type=int, default=45, metavar="N", help="kills of trainings")
    parser.add_argument(
        "--servers", type=int, default=6, metavar="N", help="kills of whole servers"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--minutes", type=float, default=120.0, help="of each part, at most")
    parser.add_argument("--nice", type=int, default=10, help="priority (default 10)")
    parser.add_argument("--out", type=Path, metavar="FILE", help="JSON with every number")


def run(args: argparse.Namespace) -> int:
    """Runs all parts and prints one table; exit status 1 if anything was lost or unreadable."""
    os.nice(args.nice)
    rng = np.random.default_rng(args.seed)
    started = time.time()
    parts: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory(prefix="spss-kills-") as folder:
        root = Path(folder)
        if args.writers:
            parts["writers"] = kill_writers(root / "writers", args.writers, rng, args.minutes)
        if args.trainings:
            parts["trainings"] = kill_trainings(
                root / "trainings", args.trainings, rng, args.minutes
            )
        if args.servers:
            from spss_apps.benchmarks.kills_server import kill_servers

            parts["servers"] = kill_servers(root / "servers", args.servers, rng, args.minutes)
    record = {"parts": parts, "seconds": round(time.time() - started), "seed": args.seed}
    if args.out:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        args.out.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(record, indent=1))
    bad = sum(part["unreadable"] + part["lost"] + part["behind"] for part in parts.values())
    return 1 if bad else 0


def kill_writers(
    root: Path, kills: int, rng: np.random.Generator, minutes: float = 60.0
) -> dict[str, Any]:
    """Submits, drafts, restores and removals, killed in the middle."""
    total = Count()
    acknowledged: list[dict[str, Any]] = []
    studies = root / "0"
    for number in _while_there_is_time("writers", kills, minutes):
        if number % _FOLDER_LASTS == 0:
            studies, acknowledged = make_studies(root / f"{number}" / "studies"), []
        seed, seconds = int(rng.integers(2**31)), float(rng.uniform(0, _LONGEST_WRITER_SECONDS))
        ended = run_and_kill(
            lambda tell, here=studies, seed=seed: write_without_end(here, seed, tell),  # type: ignore[misc]
            seconds,
        )
        acknowledged += [fact for fact in ended.told if "entry" in fact]
        total.killed(ended.killed, _in_the_middle_of(ended.told))
        total.add(check(studies, acknowledged))
        total.acknowledged += sum("entry" in fact for fact in ended.told)
    return total.record()


def kill_trainings(
    root: Path, kills: int, rng: np.random.Generator, minutes: float = 60.0
) -> dict[str, Any]:
    """Trainings killed three times each and then left to end; each must end and answer."""
    import torch

    from spss_apps.benchmarks import kills_training as training

    torch.set_num_threads(1)  # a pool of threads does not survive a fork: the child would hang
    studies = make_studies(root / "studies")
    training.draw_planes(studies)
    total, ends, whole_seconds = Count(), [], 8.0
    for number in _while_there_is_time("trainings", kills, minutes):
        _status_file(studies).unlink(missing_ok=True)  # so that it tells of this training only
        ended = run_and_kill(
            lambda tell: training.train_once(studies, tell), float(rng.uniform(0, whole_seconds))
        )
        verdict = Verdict()
        training.check_models(studies, verdict)
        training.check_notes(studies, verdict)
        total.killed(ended.killed, _phase_of(studies))
        total.add(verdict)
        if number % _KILLS_PER_TRAINING == _KILLS_PER_TRAINING - 1:
            started = time.monotonic()
            last = run_and_kill(lambda tell: training.train_once(studies, tell), None)
            whole_seconds = time.monotonic() - started
            verdict = Verdict()
            version = training.check_models(studies, verdict)
            total.add(verdict)
            ends.append(bool(not last.failed and version and last.told[-1].get("outcome")))
    return total.record() | {"let_end": len(ends), "ended": sum(ends)}


class Count:
    """Adds up what the kills left."""

    def __init__(self) -> None:
        self.kills = self.acknowledged = self.torn = 0
        self.during: Counter[str] = Counter()
        self.found: dict[str, list[str]] = {"unreadable": [], "lost": [], "behind": []}

    def killed(self, was_killed: bool, during: str) -> None:
        """Counts a kill and what it interrupted."""
        self.kills += was_killed
        self.during[during if was_killed else "ended before its time"] += 1

    def add(self, verdict: Verdict) -> None:
        """Adds what a check found."""
        for name, found in self.found.items():
            found += getattr(verdict, name)
        self.torn = max(self.torn, verdict.torn)

    def record(self) -> dict[str, Any]:
        """Plain numbers, and the first sentences of what is wrong."""
        for sentence in [s for found in self.found.values() for s in found][:5]:
            print(sentence, file=sys.stderr)
        return {
            "kills": self.kills,
            "during": dict(self.during),
            "acknowledged": self.acknowledged,
            "most_torn_files": self.torn,
            **{name: len(found) for name, found in self.found.items()},
            "sentences": [s for found in self.found.values() for s in found][:20],
        }


def _while_there_is_time(name: str, kills: int, minutes: float) -> Iterator[int]:
    deadline = time.monotonic() + 60 * minutes
    for number in tqdm(range(kills), desc=name, disable=None):
        if time.monotonic() > deadline:
            return
        yield number


def _in_the_middle_of(told: list[dict[str, Any]]) -> str:
    begun = [fact for fact in told if "begun" in fact or "done" in fact]
    return str(begun[-1]["begun"]) if begun and "begun" in begun[-1] else "between two"


def _phase_of(studies: Path) -> str:
    """What a killed training was doing, read off its files."""
    try:
        status = json.loads(_status_file(studies).read_bytes())
    except (OSError, ValueError):
        return "starting"
    if "total_time" in status:
        return "scoring"
    return "training" if status.get("epoch") else "preparing"


def _status_file(studies: Path) -> Path:
    return studies / "spss" / "models" / "train_status.json"
