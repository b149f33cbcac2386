"""What would keep the server's answers waiting steps aside: trainings, scorings, old objects."""

from __future__ import annotations

import atexit
import gc
import os
import sys

_TASK_PROCESS = "monailabel.interfaces.utils.app"
"""The program that MONAI Label starts for a background task; nothing else runs in it."""

_NICENESS = 10
"""On a POSIX system a process of niceness 0 gets nine times the share of one of 10 where both want
one core (weights 1024 and 110, Linux ``sched_prio_to_weight``); a core that is idle is not lost."""


def step_aside() -> None:
    """Lowers the priority of this process if it is one that only trains, scores or predicts."""
    program = getattr(sys.modules.get("__main__"), "__spec__", None)
    if program is not None and program.name == _TASK_PROCESS and hasattr(os, "nice"):
        os.nice(_NICENESS)


def leave_start_alone() -> None:
    """Exempts all objects there are from garbage collection: modules and the app live to the end.

    A full collection looks at every object of the imported libraries. With the scores of ten
    thousand volumes it took half a second, in the middle of some answer.
    """
    gc.collect()
    gc.freeze()
    atexit.register(gc.unfreeze)  # else libraries that count their objects call these leaked
