"""Coverage-guided fuzzing of the readers of labels, segmentations, ledger and audit log.

atheris mutates real files and keeps what reaches new lines of the readers. A finding is every
exception but the project's own one-sentence refusals, an answer that contradicts its input, a case
of more than 30 seconds or 3 GB, and a process that dies. Fails if there is any.

atheris is no requirement of this package; it lies in a folder of its own:

    pip install --target /tmp/atheris atheris
    PYTHONPATH=/tmp/atheris python apps/benchmark.py fuzz_readers --minutes 10
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

from spss.errors import InputError
from spss_apps.benchmarks.fuzz_targets import TARGETS

_EXECUTIONS = re.compile(r"number_of_executed_units:\s*(\d+)")
_COVERAGE = re.compile(r"cov: (\d+)")
_START_SECONDS = 1200
"""To instrument and import the readers, at low priority on a busy machine."""


@dataclass(frozen=True)
class ReaderOutcome:
    """What fuzzing one reader showed.

    Attributes:
        reader: its name.
        minutes: how long it was fuzzed.
        inputs: that were read.
        coverage: branches of the readers that the seeds reached, and that all inputs reached.
        findings: one line each.
    """

    reader: str
    minutes: float
    inputs: int
    coverage: tuple[int, int]
    findings: tuple[str, ...]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the measurement."""
    add = parser.add_argument
    add("--minutes", type=float, default=10.0, help="of each reader")
    add("--reader", action="append", choices=tuple(TARGETS), help="only this one")
    add("--seed", type=int, default=1)
    add("--keep", type=Path, help="folder for inputs that found something")
    add("--out", type=Path, help="write the result here as JSON")


def run(args: argparse.Namespace) -> int:
    """Fuzzes one reader after the other, prints the figures, returns 1 if anything was found."""
    if importlib.util.find_spec("atheris") is None:
        msg = "atheris is not installed: see the beginning of 'benchmark.py fuzz_readers --help'."
        raise InputError(msg)
    outcomes = []
    for reader in args.reader or TARGETS:
        outcomes.append(_fuzz(reader, minutes=args.minutes, seed=args.seed, keep=args.keep))
        print(describe(outcomes[-1]), flush=True)
    if args.out is not None:
        args.out.write_text(
            json.dumps([asdict(each) for each in outcomes], indent=1) + "\n", encoding="utf-8"
        )
    return int(any(outcome.findings for outcome in outcomes))


def describe(outcome: ReaderOutcome) -> str:
    """The figures, and every finding on a line of its own."""
    first, last = outcome.coverage
    head = (
        f"{outcome.reader}: {outcome.inputs} inputs in {outcome.minutes:g} minutes, branches "
        f"{first} by the seeds, {last} in the end, {len(outcome.findings)} findings"
    )
    return "\n".join([head, *(f"  {finding}" for finding in outcome.findings)])


def _fuzz(reader: str, *, minutes: float, seed: int, keep: Path | None) -> ReaderOutcome:
    with tempfile.TemporaryDirectory(prefix="spss-fuzz-readers-") as folder:
        out = Path(folder)
        command = [sys.executable, "-m", "spss_apps.benchmarks.fuzz_readers_child"]
        command += [reader, str(out), str(round(60 * minutes)), str(seed)]
        with (out / "log").open("wb") as log:
            ended = subprocess.run(
                command,
                stdout=log,
                stderr=subprocess.STDOUT,
                timeout=60 * minutes + _START_SECONDS,
                check=False,
            )
        outcome = read_outcome(reader, out, minutes=minutes, status=ended.returncode)
        if keep is not None and outcome.findings:
            shutil.copytree(out, keep / reader, dirs_exist_ok=True)
        if (out / "folder").is_file():
            shutil.rmtree((out / "folder").read_text(encoding="utf-8"), ignore_errors=True)
    return outcome


def read_outcome(reader: str, out: Path, *, minutes: float, status: int) -> ReaderOutcome:
    """Reads what the child left: its log and its findings.

    Raises:
        InputError: it did not come to fuzzing.
    """
    text = (out / "log").read_text(errors="replace", encoding="utf-8")
    executed = _EXECUTIONS.findall(text)
    covered = [int(number) for number in _COVERAGE.findall(text)]
    findings = []
    if (out / "findings.jsonl").is_file():
        lines = (out / "findings.jsonl").read_text(encoding="utf-8").splitlines()
        findings = [f"{each['kind']}: {each['message']}" for each in map(json.loads, lines)]
    last = " ".join(text.split()[-40:])
    if not covered:
        msg = f"The fuzzing of reader {reader!r} ended before it began (status {status}): {last}"
        raise InputError(msg)
    if status:
        findings.append(f"the process ended with status {status}: {last}")
    return ReaderOutcome(
        reader,
        minutes,
        int(executed[-1]) if executed else 0,
        (covered[0], covered[-1]),
        tuple(findings),
    )
