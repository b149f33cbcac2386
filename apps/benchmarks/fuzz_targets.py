"""The readers that are fuzzed: what each is fed, and what it must hold afterwards.

A reader may refuse its input with one of the project's own errors, in one sentence. Whatever else
it raises is a finding, and so is an answer that could not have come from that input.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from spss.errors import SpssError

Reader = Callable[[bytes], None]
"""Takes the bytes that came from outside; raises whatever it finds wrong."""

_LONGEST_MESSAGE = 1500


@dataclass(frozen=True)
class Target:
    """A reader in a folder of its own.

    Attributes:
        seeds: real inputs from which mutations begin.
        read: the reader.
    """

    seeds: tuple[bytes, ...]
    read: Reader


class NoSentenceError(AssertionError):
    """An input was refused, but not in words that could be shown to a person."""


def make_target(name: str, folder: Path) -> Target:
    """Builds one of `TARGETS`; imports the reader, so that it can be instrumented before."""
    return TARGETS[name](folder)


def refused(read: Callable[[], object]) -> bool:
    """True if ``read`` refused its input as it should; False if it took it.

    Raises:
        NoSentenceError: the message is no single sentence.
        Exception: whatever else the reader raised.
    """
    try:
        read()
    except SpssError as error:
        text = str(error)
        if not text.endswith((".", ")")) or "\n" in text or len(text) > _LONGEST_MESSAGE:
            msg = f"refused with {text[:300]!r}"
            raise NoSentenceError(msg) from error
        return True
    return False


def fast_folder() -> Path:
    """A temporary folder in memory where there is one: a case must not cost a disk's time."""
    shared = Path("/dev/shm")
    return Path(tempfile.mkdtemp(prefix="spss-fuzz-", dir=shared if shared.is_dir() else None))


def _label(folder: Path) -> Target:
    from spss_apps.benchmarks.fuzz_label import label_target

    return label_target(folder)


def _segmentation(folder: Path) -> Target:
    from spss_apps.benchmarks.fuzz_segmentation import segmentation_target

    return segmentation_target(folder)


def _ledger(folder: Path) -> Target:
    from spss_apps.benchmarks.fuzz_ledger import ledger_target

    return ledger_target(folder)


def _audit(folder: Path) -> Target:
    from spss_apps.benchmarks.fuzz_ledger import audit_target

    return audit_target(folder)


TARGETS: dict[str, Callable[[Path], Target]] = {
    "label": _label,
    "segmentation": _segmentation,
    "ledger": _ledger,
    "audit": _audit,
}
"""Label files, DICOM segmentations, entries and labels of the ledger, lines of the audit log."""
