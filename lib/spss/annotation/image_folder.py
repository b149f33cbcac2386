"""A folder name for any image id: safe on every file system, different for different ids."""

from __future__ import annotations

import hashlib
from urllib.parse import quote

_READABLE_CHARACTERS = 80


def folder_name(image_id: str) -> str:
    """Readable beginning of the id, and a digest that keeps ids apart.

    Percent-encoding keeps separators and ``..`` out; the digest tells apart ids that differ only
    in case, in Unicode normalisation or beyond the readable part.
    """
    readable = quote(image_id, safe=" ")[:_READABLE_CHARACTERS].lstrip(".").replace(" ", "_")
    digest = hashlib.sha256(image_id.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    return f"{readable or 'image'}-{digest}"
