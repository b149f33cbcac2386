"""Watch the loop run: a simulated annotator drives the real server on real volumes.

Starts MONAI Label with the SPSS app on a loopback port. Per round the annotator asks for the next
plane, draws it, submits it and has it propagated; then the server trains, and its model is measured
on test volumes it never saw. Ends with a table and one self-contained HTML report.
"""

from __future__ import annotations

import argparse
import shlex
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path

from spss_apps.demo_record import DemoRecord
from spss_apps.demo_run import run_demo
from spss_apps.demo_setup import Demo, DemoOptions, prepare
from spss_apps.progress import progress_bar
from spss_apps.server import ServerProcess

TERMINATED = 128 + signal.SIGTERM
AXES = ("auto", "0", "1", "2")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of ``spss demo``."""
    add = parser.add_argument
    add("--data", type=Path, help="folder in the Decathlon layout (default: sample data)")
    add("--rounds", type=_positive, default=4, help="rounds of draw, train, measure (default 4)")
    add("--planes", type=_positive, default=5, help="planes drawn per round (default 5)")
    add("--axis", choices=AXES, default="auto", help="voxel axis across the planes (default auto)")
    add("--minutes", type=float, default=2.0, help="training minutes per round (default 2.0)")
    add("--iterations", type=_positive, help="training steps per round, instead of minutes")
    add("--method", default="spss", help="training method (default spss)")
    add("--strategy", default=DemoOptions.strategy, help="who asks (default %(default)s)")
    add("--seed", type=int, default=0, help="seed of suggestions and training (default 0)")
    add("--test-volumes", type=_positive, default=40, help="volumes to measure on (default 40)")
    add("--out", type=Path, default=Path("demo_runs/demo"), help="folder for all that is written")
    add("--serve", action="store_true", help="leave the server up at the end, until Ctrl-C")


def run(args: argparse.Namespace) -> int:
    """Runs the demo, prints the table and says where the report is."""
    started = time.perf_counter()
    demo = prepare(_options(args))
    print(f"{demo.description}: {len(demo.pool)} volumes for the server, {len(demo.test)} to test.")
    with _running(demo) as server:
        record, report = run_demo(demo, server, started=started)
        print(f"\n{table(record)}\n\n{record.seconds / 60:.1f} minutes. Report: {report.resolve()}")
        if args.serve:
            _serve(server)
    return 0


def table(record: DemoRecord) -> str:
    """Round, planes drawn, test Dice per class and seconds, as aligned text."""
    names = [*record.class_names[1:], "mean"]
    rows = [["round", "planes", *(f"Dice {name}" for name in names), "seconds"]]
    for number, item in enumerate(record.rounds, start=1):
        dice = [f"{item.test_dice[name]:.3f}" for name in names]
        rows.append([str(number), str(item.planes_in_all), *dice, f"{item.seconds:.0f}"])
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True))
        for row in rows
    ]
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])


@contextmanager
def _running(demo: Demo) -> Iterator[ServerProcess]:
    """The started server; ends it on any way out, a plain ``kill`` included."""
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(TERMINATED))
    with progress_bar("Start MONAI Label") as bar:
        server = ServerProcess(
            demo.app, demo.studies, log=demo.log, conf=demo.conf, on_wait=bar.update
        )
        server.start()
    try:
        yield server
    finally:
        server.stop()


def _options(args: argparse.Namespace) -> DemoOptions:
    names = [item.name for item in fields(DemoOptions) if item.name != "command"]
    chosen = {name: getattr(args, name) for name in names}
    return DemoOptions(**chosen, command=shlex.join(["spss", *sys.argv[1:]]))


def _serve(server: ServerProcess) -> None:
    """Leaves the server to the user's own viewer."""
    print(
        f"\nThe server stays up until Ctrl-C:\n"
        f"  3D Slicer   module MONAI Label, server address {server.url}\n"
        f"  OHIF        {server.url}/ohif/ (shows studies of a DICOMweb server only)\n"
        f"  HTTP API    {server.url}/docs"
    )
    try:
        while True:
            server.check()
            time.sleep(1)
    except KeyboardInterrupt:
        print("Stopped.")


def _positive(text: str) -> int:
    """For counts, of which 0 would end in an empty report."""
    value = int(text)
    if value < 1:
        msg = f"must be 1 or more, got {value}"
        raise argparse.ArgumentTypeError(msg)
    return value
