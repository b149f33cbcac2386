"""Networks of propagation on disk: their config and weights, nothing that runs when it is read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

import torch

from spss.errors import InputError
from spss.volumes import replace_atomically

AnyNetwork = TypeVar("AnyNetwork", bound=torch.nn.Module)


def save_network(network: torch.nn.Module, config: Any, path: Path, *, kind: str) -> None:
    """Writes weights and config, atomically.

    Args:
        network: its ``state_dict`` is kept.
        config: the frozen dataclass it was made from.
        path: the file.
        kind: what it is, in words.
    """
    with replace_atomically(path) as unfinished:
        content = {"kind": kind, "config": asdict(config), "state": network.state_dict()}
        torch.save(content, unfinished)


def load_network(
    path: Path, make: Callable[[dict[str, Any]], AnyNetwork], *, kind: str
) -> AnyNetwork:
    """Reads what ``save_network`` wrote, ready to predict.

    Args:
        path: the file.
        make: makes the network of a config's fields.
        kind: what the file must hold.

    Raises:
        InputError: the file does not hold such a network.
    """
    try:
        saved = torch.load(path, map_location="cpu", weights_only=True)
        found = saved.get("kind", kind)
        if found != kind:
            msg = f"it holds a {found}"
            raise TypeError(msg)
        network = make(saved["config"])
        network.load_state_dict(saved["state"])
    except Exception as error:
        msg = f"{path} does not hold a {kind} ({error}): train one first."
        raise InputError(msg) from error
    return network.eval()
