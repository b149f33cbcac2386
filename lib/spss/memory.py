"""How much memory a training or an answer may plan with."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

SHARE = 0.5
"""Of what is free; images, the operating system and other programs need the rest."""

_CPU_ALLOCATOR = "can't allocate memory"  # what torch's RuntimeError says on a CPU

_CGROUP_LIMITS = (
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
    (
        "/sys/fs/cgroup/memory/memory.limit_in_bytes",
        "/sys/fs/cgroup/memory/memory.usage_in_bytes",
    ),
)


def free_memory_gb(device: torch.device | None = None) -> float:
    """Memory that can be used now, in GB; a container's own limit counts.

    Args:
        device: a GPU's own memory; None or a CPU is the main memory.
    """
    if device is not None and device.type == "cuda":
        import torch

        return torch.cuda.mem_get_info(device)[0] / 1e9
    free = [_available_bytes()]
    for limit, used in _CGROUP_LIMITS:
        total, taken = _number(limit), _number(used)
        if total is not None and taken is not None:
            free.append(total - taken)
    return max(min(free), 0) / 1e9


def is_out_of_memory(error: BaseException) -> bool:
    """True for torch's errors on a GPU and a CPU, and for numpy's."""
    import torch

    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and _CPU_ALLOCATOR in str(error)


def _available_bytes() -> int:
    """What the system could give without swapping."""
    try:
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 4_000_000_000  # not Linux: plan for a small machine


def _number(path: str) -> int | None:
    try:
        return int(Path(path).read_text(encoding="ascii"))
    except (OSError, ValueError):  # absent, or "max"
        return None
