"""Fuzz the real server by its own OpenAPI description, with schemathesis.

Both ways to start it are fuzzed: ``spss serve`` with an admin's token, and a plain
``monailabel start_server``. Fails if an answer is a 5xx, or if the server opened a file for writing
outside its folders. Everything listens on 127.0.0.1 only and ends after ``--minutes``.

schemathesis is no requirement of this package; install it into an environment of its own:

    python -m venv /tmp/fuzz && /tmp/fuzz/bin/pip install schemathesis
    python apps/benchmark.py fuzz --schemathesis /tmp/fuzz/bin/st
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from spss.errors import InputError
from spss_apps.benchmarks.fuzz_schema import write_schema
from spss_apps.benchmarks.fuzz_server import MODES, FuzzedServer

_ROUND_SECONDS = 240
_CASES_PER_ROUND = 200


@dataclass(frozen=True)
class Outcome:
    """What fuzzing one server showed.

    Attributes:
        mode: ``served`` or ``plain``.
        requests: that were sent and answered.
        statuses: how many answers had which HTTP status, from the server's own access log.
        failures: schemathesis' findings: server errors and broken connections.
        strays: files that the server opened for writing outside its folders.
        minutes: how long it took.
    """

    mode: str
    requests: int
    statuses: dict[str, int]
    failures: tuple[str, ...]
    strays: tuple[str, ...]
    minutes: float


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the measurement."""
    add = parser.add_argument
    add("--schemathesis", type=Path, required=True, help="its command `st`")
    add("--requests", type=int, default=20_000, help="requests in all, for both modes")
    add("--minutes", type=float, default=30.0, help="longest time in all")
    add("--mode", action="append", choices=MODES, help="only this one")
    add("--seed", type=int, default=1, help="of the first round")
    add("--out", type=Path, help="write the result here as JSON")


def run(args: argparse.Namespace) -> int:
    """Fuzzes, prints the figures, returns 1 if anything was found."""
    if not args.schemathesis.is_file():
        msg = f"There is no {args.schemathesis}: see the beginning of 'benchmark.py fuzz --help'."
        raise InputError(msg)
    modes = args.mode or list(MODES)
    outcomes = [
        fuzz(
            mode,
            command=args.schemathesis,
            requests=args.requests // len(modes),
            minutes=args.minutes / len(modes),
            seed=args.seed,
        )
        for mode in modes
    ]
    for outcome in outcomes:
        print(describe(outcome))
    if args.out is not None:
        args.out.write_text(
            json.dumps([asdict(each) for each in outcomes], indent=1) + "\n", encoding="utf-8"
        )
    return int(any(outcome.failures or outcome.strays for outcome in outcomes))


def fuzz(mode: str, *, command: Path, requests: int, minutes: float, seed: int) -> Outcome:
    """Rounds with new seeds until enough requests were sent or the time is over.

    Raises:
        ServerDiedError: the server ended under the requests.
    """
    started = time.monotonic()
    sent, failures = 0, []
    with tempfile.TemporaryDirectory(prefix="spss-fuzz-") as folder:
        with FuzzedServer(mode, Path(folder)) as server:
            schema = write_schema(server, Path(folder) / "openapi.json")
            while sent < requests:
                left = minutes * 60 - (time.monotonic() - started)
                if left < 5:
                    break
                report = _round(command, schema, server, seed, min(left, _ROUND_SECONDS))
                server.check()
                sent += int(report["test_cases"]["generated"])
                failures += _failures(report)
                seed += 1
                print(f"{mode}: {sent} requests, {len(failures)} findings", flush=True)
        strays, statuses = server.strays(), server.statuses()
    taken = (time.monotonic() - started) / 60
    return Outcome(mode, sent, statuses, tuple(sorted(set(failures))), strays, round(taken, 1))


def describe(outcome: Outcome) -> str:
    """The figures, and every finding on a line of its own."""
    lines = [
        f"{outcome.mode}: {outcome.requests} requests in {outcome.minutes} minutes, "
        f"{len(outcome.failures)} server errors, {len(outcome.strays)} files outside"
    ]
    lines += ["  " + ", ".join(f"{count} x {status}" for status, count in outcome.statuses.items())]
    return "\n".join([*lines, *(f"  {finding}" for finding in outcome.failures + outcome.strays)])


def _round(
    command: Path, schema: Path, server: FuzzedServer, seed: int, seconds: float
) -> dict[str, Any]:
    report = schema.with_name("report.json")
    report.unlink(missing_ok=True)
    options = ["--url", server.url, "--checks", "not_a_server_error", "--continue-on-failure"]
    options += ["--phases", "coverage,fuzzing", "--max-examples", str(_CASES_PER_ROUND)]
    options += ["--seed", str(seed), "--no-shrink", "--warnings", "off", "--request-timeout", "60"]
    options += ["--suppress-health-check", "all", "--generation-database", "none"]
    options += ["--report", "json", "--report-json-path", str(report)]
    options += [
        part for name, value in server.headers.items() for part in ("-H", f"{name}:{value}")
    ]
    with schema.with_name(f"schemathesis-{seed}.log").open("wb") as log:
        subprocess.run(
            [str(command), "run", str(schema), *options, "--max-time", str(max(1, int(seconds)))],
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=schema.parent,
            timeout=seconds + 120,
            check=False,
        )
    if not report.is_file():
        msg = f"schemathesis ended without a report: {_last_lines(Path(log.name))}"
        raise InputError(msg)
    found: dict[str, Any] = json.loads(report.read_text(encoding="utf-8"))
    return found


def _failures(report: dict[str, Any]) -> list[str]:
    return [
        f"{failure['title']}: {operation}"
        for failure in report.get("failures", [])
        for operation in failure.get("operations", ["?"])
    ]


def _last_lines(log: Path) -> str:
    return " ".join(log.read_text(encoding="utf-8", errors="replace").split()[-60:])
