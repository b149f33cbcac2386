"""Several processes that train one network, started by ``torchrun``; through ignite's idist.

Gradients are averaged in one flat all-reduce after the backward pass instead of by wrapping the
network: methods may then run the student several times a step and leave its head unused, which
`DistributedDataParallel` does not allow, and the networks here are small.
"""

from __future__ import annotations

import atexit
import json
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import ignite.distributed as idist
import torch
from torch import Tensor, nn


def join_processes(device: torch.device) -> None:
    """Joins the group that ``torchrun`` announces in the environment; alone it does nothing."""
    if int(os.environ.get("WORLD_SIZE", "1")) > 1 and not torch.distributed.is_initialized():
        idist.initialize("nccl" if device.type == "cuda" else "gloo")
        atexit.register(_leave)


def _leave() -> None:
    """Ends the group's threads; left to the interpreter, they now and then abort it (SIGABRT)."""
    if torch.distributed.is_initialized():
        idist.finalize()


def own_device(device: torch.device) -> torch.device:
    """The GPU of this process when each has one."""
    if device.type == "cuda" and device.index is None and idist.get_world_size() > 1:
        return torch.device("cuda", idist.get_local_rank())
    return device


def is_first() -> bool:
    """True in the process that writes files and talks."""
    return idist.get_rank() == 0


def average_gradients(parameters: Iterable[nn.Parameter]) -> None:
    """Replaces every gradient by its mean over the processes; parameters without one count as 0."""
    if idist.get_world_size() == 1:
        return
    parameters = list(parameters)
    for parameter in parameters:
        if parameter.grad is None:
            parameter.grad = torch.zeros_like(parameter)
    flat = torch.cat([parameter.grad.reshape(-1) for parameter in parameters])  # type: ignore[union-attr]
    torch.distributed.all_reduce(flat)
    flat /= idist.get_world_size()
    start = 0
    for parameter in parameters:
        size = parameter.numel()
        parameter.grad = flat[start : start + size].view_as(parameter)
        start += size


def anywhere(flag: bool, device: torch.device) -> bool:
    """True if the flag is set in any process; all must ask."""
    if idist.get_world_size() == 1:
        return flag
    value = torch.tensor([float(flag)], device=device)
    torch.distributed.all_reduce(value, op=torch.distributed.ReduceOp.MAX)
    return bool(value.item())


def of_first(number: float, device: torch.device) -> float:
    """The first process's number in every process."""
    if idist.get_world_size() == 1:
        return number
    value = torch.tensor([number], dtype=torch.float64, device=device)
    torch.distributed.broadcast(value, src=0)
    return float(value.item())


def from_first(compute: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What the first process computed, in every process; plain values only."""
    if idist.get_world_size() == 1:
        return compute()
    box: list[Any] = [json.dumps(compute()) if is_first() else None]
    torch.distributed.broadcast_object_list(box, src=0)
    values: dict[str, Any] = json.loads(box[0])
    return values


@contextmanager
def first_goes_first() -> Iterator[None]:
    """The body runs in the first process, then in all others."""
    if not is_first():
        idist.barrier()
    yield
    if is_first() and idist.get_world_size() > 1:
        idist.barrier()


def tensors_from_first(compute: Callable[[], dict[str, Tensor]]) -> dict[str, Tensor]:
    """Tensors on the CPU that the first process computed, in every process."""
    if idist.get_world_size() == 1:
        return compute()
    box: list[Any] = [compute() if is_first() else None]
    torch.distributed.broadcast_object_list(box, src=0)
    return dict(box[0])
