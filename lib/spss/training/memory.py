"""How much memory a training may plan with."""

from __future__ import annotations

from pathlib import Path

import torch

SHARE = 0.5
"""Of what is free; images, the operating system and other programs need the rest."""

_CGROUP_LIMITS = (
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
    (
        "/sys/fs/cgroup/memory/memory.limit_in_bytes",
        "/sys/fs/cgroup/memory/memory.usage_in_bytes",
    ),
)


def free_memory_gb(device: torch.device) -> float:
    """Memory that can be used on ``device`` now, in GB; a container's own limit counts."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0] / 1e9
    free = [_available_bytes()]
    for limit, used in _CGROUP_LIMITS:
        total, taken = _number(limit), _number(used)
        if total is not None and taken is not None:
            free.append(total - taken)
    return max(min(free), 0) / 1e9


def _available_bytes() -> int:
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
