"""Prepared volumes on disk, so that the second training of a set starts at once."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from spss.annotation import SparseLabel
from spss.training.case import PreparedCase, TrainingCase
from spss.training.plan import Plan
from spss.volumes import replace_atomically

VERSION = 6
"""Raise it when preparation changes, so that no old result is taken."""


def cache_key(
    case: TrainingCase,
    label: SparseLabel | None,
    plan: Plan,
    classes: tuple[int, ...],
    propagator: str | None,
) -> str:
    """Digest of everything a prepared volume depends on."""
    stored = case.image.stat()
    digest = hashlib.sha256(
        json.dumps(
            [
                VERSION,
                str(case.image.resolve()),
                stored.st_mtime_ns,
                stored.st_size,
                plan.spacing_mm,
                asdict(plan.normalisation),
                classes,
                propagator,
                None if label is None else [(p.axis, p.index) for p in label.planes],
            ]
        ).encode()
    )
    if label is not None:
        digest.update(label.with_undecided().tobytes())
    return digest.hexdigest()[:32]


def read_cached(folder: Path, name: str, key: str) -> tuple[PreparedCase, str] | None:
    """The prepared volume, its tensors mapped from disk into memory, and its note; or None."""
    path = folder / f"{key}.pt"
    if not path.is_file():
        return None
    try:
        content: dict[str, Any] = torch.load(path, mmap=True, weights_only=True)
    except Exception:  # damaged: prepare it again
        return None
    tensors: dict[str, Tensor | None] = content["tensors"]
    return PreparedCase(name=name, **tensors), str(content["note"])  # type: ignore[arg-type]


def write_cached(folder: Path, key: str, prepared: PreparedCase, note: str) -> None:
    """Keeps a prepared volume; a full disk is no reason to stop a training."""
    tensors = {
        "image": prepared.image,
        "truth": prepared.truth,
        "soft": prepared.soft,
        "annotated": prepared.annotated,
    }
    try:
        with replace_atomically(folder / f"{key}.pt") as unfinished:
            torch.save({"tensors": tensors, "note": note}, unfinished)
    except OSError:
        return
