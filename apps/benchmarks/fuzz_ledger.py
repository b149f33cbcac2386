"""Fuzzing the ledger and the audit log: foreign and torn files beside good ones."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from spss.annotation import Ledger, Plane, folder_name
from spss.annotation.fold import newest_digests
from spss.annotation.versions import versions
from spss.studies import AuditLog
from spss.types import UNDECIDED, ClassMap
from spss_apps.benchmarks.fuzz_targets import Target, refused

IMAGE = "case 1"
SHAPE = (4, 5, 6)
NAMES = ("background", "front", "back")
CUT = b"\n#\n"
"""Between the JSON of an entry and the bytes of its label file in an input."""

_ENTRY = "000002-20260101T000000Z-00000000"
_FITTED = ("id", "image_id", "label_file", "label_sha256")


def ledger_target(folder: Path) -> Target:
    """An entry from outside between a good one and the next submit."""
    first = folder / "first"
    kept = _first_submit(first)
    root = folder / "ledger"
    image_folder = root / folder_name(IMAGE)

    def read(data: bytes) -> None:
        """Puts the input into a fresh copy of the ledger, as another program might."""
        shutil.rmtree(root, ignore_errors=True)
        shutil.copytree(first, root)
        text, _, label = data.partition(CUT)
        (image_folder / f"{_ENTRY}.json").write_bytes(_fitting(text, label))
        (image_folder / f"{_ENTRY}.nii.gz").write_bytes(label)
        _read_everything(Ledger(root))
        _submit_and_compare(root, kept)

    return Target(_ledger_seeds(folder), read)


def audit_target(folder: Path) -> Target:
    """Any bytes as an audit log; the next line must be readable all the same."""
    file = folder / "audit.jsonl"

    def read(data: bytes) -> None:
        """Lets the log go on after the input; not a byte of it may change."""
        file.write_bytes(data)
        log = AuditLog(file)
        before = len(list(log.lines()))
        log.problems()
        log.write("submit", image=IMAGE, who="Ana")
        lines = list(log.lines())
        assert len(lines) == before + 1, f"{before} lines, then {len(lines)}"
        assert lines[-1]["image"] == IMAGE
        assert file.read_bytes().startswith(data)

    good = AuditLog(folder / "seed.jsonl")
    for who in ("Ana", "Jörg"):
        good.write("submit", image=IMAGE, who=who, entry=_ENTRY)
    seed = good.path.read_bytes()
    return Target((seed, seed[:-9], b"[]\n" + seed), read)


def _first_submit(root: Path) -> ClassMap:
    label = np.random.default_rng(0).integers(0, 3, SHAPE).astype(np.uint8)
    Ledger(root).record(
        IMAGE, label, [Plane(2, 1)], class_names=NAMES, affine=np.eye(4), author="Ana"
    )
    return label[..., 1]


def _fitting(text: bytes, label: bytes) -> bytes:
    """The entry with name and checksum that fit: otherwise hardly a mutation would be looked at.

    An entry that says ``"as it is": true`` stays as it is.
    """
    try:
        record = json.loads(text)
        if not isinstance(record, dict) or record.pop("as it is", False):
            return text
    except (ValueError, RecursionError):
        return text
    digest = hashlib.sha256(label).hexdigest()
    fitted = (_ENTRY, IMAGE, f"{_ENTRY}.nii.gz", digest)
    record.update({k: v for k, v in zip(_FITTED, fitted, strict=True) if k in record})
    return json.dumps(record).encode()


def _read_everything(ledger: Ledger) -> None:
    """All that a server asks a ledger when it starts and when it answers."""
    ledger.image_ids()
    ledger.problems()
    history = ledger.history(IMAGE)
    json.dumps([version.to_json() for version in versions(history)])
    newest_digests(history)
    questions: list[Callable[[], Any]] = [
        lambda: ledger.standing(IMAGE),
        lambda: ledger.sparse_label(IMAGE, NAMES),
        *(lambda entry=entry: ledger.label_bytes(entry) for entry in history),
    ]
    for question in questions:
        refused(question)


def _submit_and_compare(root: Path, kept: ClassMap) -> None:
    """The next submit must get in and hold; what was there first must be readable."""
    ledger = Ledger(root)
    label = np.random.default_rng(1).integers(0, 3, SHAPE).astype(np.uint8)
    entry = ledger.record(IMAGE, label, [Plane(0, 2)], class_names=NAMES, affine=np.eye(4))
    assert ledger.history(IMAGE)[-1].id == entry.id
    reopened = Ledger(root)

    def holds() -> None:
        """What was just submitted is what a reopened ledger answers."""
        found = reopened.sparse_label(IMAGE, NAMES)
        assert found.shape == SHAPE
        assert (found.classes[2] == label[2]).all(), "the submit does not hold"

    refused(holds)
    assert (_first(reopened)[..., 1] == kept).all()


def _first(ledger: Ledger) -> ClassMap:
    from spss.annotation.label_file import label_from_bytes

    entry = ledger.history(IMAGE)[0]
    data = ledger.label_bytes(entry)
    return label_from_bytes(data, entry.label_file, sha256=entry.label_sha256, shape=entry.shape)


def _ledger_seeds(folder: Path) -> tuple[bytes, ...]:
    """Real entries of every kind."""
    root = folder / "seed"
    ledger = Ledger(root)
    label = np.random.default_rng(2).integers(0, 3, SHAPE).astype(np.uint8)
    clicks = np.where(label == 1, UNDECIDED, label)
    decisions: list[tuple[Any, ClassMap]] = [([Plane(1, 3)], label), ("dense", label)]
    for what, drawn in [*decisions, ("voxels", clicks)]:
        ledger.record(IMAGE, drawn, what, class_names=NAMES, affine=np.eye(4))
    ledger.restore(IMAGE, ledger.history(IMAGE)[0].id, author="Ana")
    seeds = []
    for file in sorted(root.rglob("*.json")):
        whole = file.with_name(file.name.replace(".json", ".nii.gz"))
        seeds.append(file.read_bytes() + CUT + (whole.read_bytes() if whole.exists() else b""))
    shutil.rmtree(root)
    return tuple(seeds)
