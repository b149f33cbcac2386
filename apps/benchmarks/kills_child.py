"""A child process that tells what it has done, and is killed at a moment nobody chose."""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

Tell = Callable[[dict[str, Any]], None]
"""Sends one fact to the parent; once this returns, the parent will learn it, kill or not."""

_START_SECONDS = 120.0


@dataclass
class Ended:
    """How a child ended.

    Attributes:
        told: the facts it sent, in order.
        killed: False if it ended by itself before its time.
        failed: True if it ended by an error of its own.
    """

    told: list[dict[str, Any]] = field(default_factory=list)
    killed: bool = False
    failed: bool = False


def run_and_kill(work: Callable[[Tell], None], seconds: float | None) -> Ended:
    """Forks, runs ``work`` in the child, and sends SIGKILL after ``seconds``.

    The clock starts with the first fact that the child tells. A fork shares what is imported, so
    that a thousand kills do not import torch a thousand times.

    Args:
        work: what the child does.
        seconds: until the kill; None waits for its end.
    """
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        _be_the_child(work, writer)
    os.close(writer)
    try:
        return _watch(child, reader, seconds)
    finally:
        os.close(reader)


def _be_the_child(work: Callable[[Tell], None], writer: int) -> None:
    status = 1
    try:
        work(lambda fact: _send(writer, fact))
        status = 0
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
    finally:
        os._exit(status)  # nothing of the parent's clean-up may run twice


def _send(writer: int, fact: dict[str, Any]) -> None:
    os.write(writer, json.dumps(fact).encode() + b"\n")  # below PIPE_BUF: all of it or nothing


def _watch(child: int, reader: int, seconds: float | None) -> Ended:
    ended, rest = Ended(), b""
    deadline = time.monotonic() + _START_SECONDS
    while True:
        wait = None if seconds is None else max(0.0, deadline - time.monotonic())
        if not select.select([reader], [], [], wait)[0]:
            os.kill(child, signal.SIGKILL)
            ended.killed, seconds = True, None  # what it had told is still in the pipe
            continue
        data = os.read(reader, 65536)
        if not data:
            break
        if not ended.told and not rest and seconds is not None:
            deadline = time.monotonic() + seconds
        *lines, rest = (rest + data).split(b"\n")
        ended.told += [json.loads(line) for line in lines]
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    ended.failed = code not in (0, -signal.SIGKILL)
    return ended
