"""Does the ledger hold exactly what was acknowledged, each drawing in its own image?"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from spss.annotation import Ledger, Plane
from spss.studies import AuditLog, find_folders


def compare(studies: Path, acknowledged: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Counts lost drawings, drawings in a wrong image, and damaged files.

    Args:
        studies: the server's folder.
        acknowledged: image, entry, author, axis, index and the plane's bytes in hex.
    """
    folders = find_folders(str(studies))
    ledger = Ledger(folders.ledger)
    stored: dict[str, str] = {}
    wrong = 0
    for image_id in ledger.image_ids():
        for entry in ledger.history(image_id):
            for digest in entry.plane_sha256:
                wrong += stored.get(digest, image_id) != image_id
                stored[digest] = image_id
    lost = 0
    for fact in acknowledged:
        digest = hashlib.sha256(bytes.fromhex(fact["values"])).hexdigest()
        wrong += stored.get(digest, fact["image"]) != fact["image"]
        lost += not _is_there(ledger, fact, digest)
    audit = AuditLog(folders.audit_file)
    return {
        "lost": lost,
        "wrong_image": wrong,
        "damaged_files": len(ledger.problems()),
        "audit_lines": sum(line["action"] == "submit" for line in audit.lines()),
        "audit_problems": len(audit.problems()),
    }


def names_in_log(log: Path, names: Iterable[str]) -> int:
    """Lines of the log in which an image id is readable."""
    wanted = tuple(names)
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    return sum(any(name in line for name in wanted) for line in lines)


def _is_there(ledger: Ledger, fact: Mapping[str, Any], digest: str) -> bool:
    plane = Plane(fact["axis"], fact["index"])
    return any(
        entry.id == fact["entry"]
        and entry.author == fact["author"]
        and dict(zip(entry.planes, entry.plane_sha256, strict=True)).get(plane) == digest
        for entry in ledger.history(fact["image"])
    )
