"""Images that no training sees, to judge networks by: decided once, by the id."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

FEWEST_ANNOTATED = 10
"""With fewer annotated images every one is needed for training, and none is held out."""


def is_held_out(image_id: str, share: float) -> bool:
    """True for about ``share`` of all ids; the same answer for an id forever."""
    digest = hashlib.sha256(f"held out {image_id}".encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8], "big") < share * 2**64


def split(annotated: Iterable[str], share: float) -> tuple[list[str], list[str]]:
    """Annotated images for training and for judging.

    Args:
        annotated: ids of all images with an annotation.
        share: of the ids that are held out.
    """
    ids = sorted(annotated)
    if len(ids) < FEWEST_ANNOTATED:
        return ids, []
    held_out = [image_id for image_id in ids if is_held_out(image_id, share)]
    training = [image_id for image_id in ids if image_id not in set(held_out)]
    return (training, held_out) if training else (ids, [])
