"""One reader under atheris, in a process of its own: libFuzzer ends it without coming back.

Run by `fuzz_readers` as ``python -m spss_apps.benchmarks.fuzz_readers_child NAME OUT SECONDS
SEED``. Each new kind of finding is written to ``OUT/findings.jsonl`` at once, its input beside it.
"""

from __future__ import annotations

import hashlib
import json
import sys
import traceback
import warnings
from pathlib import Path

INSTRUMENTED = ("spss", "spss_app", "nibabel", "pydicom")
"""Packages whose branches guide the mutations."""

RSS_LIMIT_MB = 3000
"""More for one small input is a finding: libFuzzer ends the process."""

_LONGEST_INPUT = 16_384
_SECONDS_A_CASE = 30


def main(name: str, out: Path, seconds: int, seed: int) -> None:
    """Fuzzes until the time is over; does not return."""
    import atheris

    warnings.simplefilter("ignore")
    with atheris.instrument_imports(include=list(INSTRUMENTED)):
        from spss_apps.benchmarks.fuzz_targets import fast_folder, make_target

        folder = fast_folder()
        (out / "folder").write_text(str(folder), encoding="utf-8")
        target = make_target(name, folder)
    corpus = out / "corpus"
    corpus.mkdir()
    for number, data in enumerate(target.seeds):
        (corpus / f"seed-{number}").write_bytes(data)
    known: set[str] = set()

    def one_input(data: bytes) -> None:
        """Reads an input; a finding is written down and does not end the fuzzing."""
        try:
            target.read(data)
        except Exception as error:
            keep(error, data, out, known)

    options = [f"-max_total_time={seconds}", f"-seed={seed}", f"-max_len={_LONGEST_INPUT}"]
    options += [f"-rss_limit_mb={RSS_LIMIT_MB}", f"-timeout={_SECONDS_A_CASE}"]
    options += ["-print_final_stats=1", f"-artifact_prefix={out}/"]
    atheris.Setup([sys.argv[0], *options, str(corpus)], one_input)
    atheris.Fuzz()


def keep(error: Exception, data: bytes, out: Path, known: set[str]) -> None:
    """Writes a finding down, once for each error and line that raised it."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if "spss" in frame.filename]
    place = f"{Path(own[-1].filename).name}:{own[-1].lineno}" if own else "?"
    kind = f"{type(error).__name__} at {place}"
    if kind in known:
        return
    known.add(kind)
    file = out / f"{hashlib.sha256(data).hexdigest()[:12]}.bin"
    file.write_bytes(data)
    finding = {"kind": kind, "message": str(error)[:300], "input": str(file)}
    with (out / "findings.jsonl").open("a", encoding="utf-8") as log:
        log.write(json.dumps(finding) + "\n")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
