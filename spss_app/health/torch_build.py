"""Does PyTorch see a GPU, and does torchvision belong to the same build?"""

from __future__ import annotations

from typing import Any

from spss_app.health.finding import Finding, Level
from spss_app.health.probe import ProbeError, probe

SLOW_3D = "2.9.0"
"""3-D convolutions in bfloat16 fall back to a path with many times the memory and time."""

_TORCH = """
import torch
answer = {"version": torch.__version__, "cuda_build": torch.version.cuda, "threads":
    torch.get_num_threads(), "gpus": [torch.cuda.get_device_name(index)
    for index in range(torch.cuda.device_count())] if torch.cuda.is_available() else []}
"""
_TORCHVISION = """
import torchvision
torchvision.ops.nms(torch.zeros(1, 4), torch.zeros(1), 0.5)
answer["torchvision"] = torchvision.__version__
"""


def check_torch() -> list[Finding]:
    """Imports both in a process of their own and runs one compiled operator of torchvision."""
    try:
        found = probe(_TORCH + _TORCHVISION)
    except ProbeError as error:
        return _what_broke(error)
    fits = f"torchvision {found['torchvision']} fits torch"
    return [*judge_torch(found), Finding(Level.OK, fits)]


def _what_broke(torchvision_error: ProbeError) -> list[Finding]:
    """Whether torch alone still imports tells which of the two to mend."""
    try:
        found = probe(_TORCH)
    except ProbeError as error:
        return [Finding(Level.FAILURE, f"torch does not import: {error}", "pip install torch")]
    text = f"torchvision does not fit torch (another build?): {torchvision_error}"
    mend = "pip install --force-reinstall torch torchvision   (both from one index)"
    return [*judge_torch(found), Finding(Level.FAILURE, text, mend)]


def judge_torch(found: dict[str, Any]) -> list[Finding]:
    """Findings about torch's version and the device training will run on."""
    version = str(found["version"])
    findings = []
    if found["gpus"]:
        text = f"torch {version} sees {', '.join(found['gpus'])} (CUDA {found['cuda_build']})"
        findings.append(Finding(Level.OK, text))
    else:
        build = f"CUDA {found['cuda_build']}" if found["cuda_build"] else "CPU only"
        text = f"torch {version} ({build}) sees no GPU: training runs on {found['threads']} threads"
        findings.append(Finding(Level.WARNING, text))
    if version.split("+")[0] == SLOW_3D:
        findings.append(
            Finding(
                Level.WARNING,
                f"torch {SLOW_3D} is slow and hungry in 3-D bfloat16 convolutions",
                f"pip install 'torch!={SLOW_3D}' torchvision",
            )
        )
    return findings
