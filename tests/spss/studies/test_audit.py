"""The audit log: appended to, never silently changed."""

import json
import stat
from concurrent.futures import ThreadPoolExecutor

from hypothesis import given, settings
from hypothesis import strategies as st

from spss.studies import AuditLog


def _filled(path, count=4):
    log = AuditLog(path)
    for number in range(count):
        log.write("submit", image=f"case {number}", who="Ana", sha256="ab", plane=number)
    return log


def test_a_line_says_who_did_what_to_which_image_and_when(tmp_path):
    log = _filled(tmp_path / "own" / "audit.jsonl", 1)
    (line,) = log.lines()
    assert line["time"].endswith("+00:00")
    assert (line["who"], line["action"], line["image"], line["sha256"], line["plane"]) == (
        "Ana",
        "submit",
        "case 0",
        "ab",
        0,
    )
    assert log.problems() == []
    assert stat.S_IMODE(log.path.stat().st_mode) == 0o600


def test_a_line_that_was_changed_taken_out_or_put_in_is_found(tmp_path):
    log = _filled(tmp_path / "audit.jsonl")
    lines = log.path.read_bytes().splitlines(keepends=True)
    changed = [lines[0], lines[1].replace(b"Ana", b"Bob"), *lines[2:]]
    for tampered in (changed, [lines[0], *lines[2:]], [lines[0], lines[2], lines[1], lines[3]]):
        log.path.write_bytes(b"".join(tampered))
        assert log.problems()


@settings(deadline=None, max_examples=25)
@given(st.integers(1, 400))
def test_a_line_that_a_kill_tore_stays_and_the_next_one_follows(tmp_path_factory, cut):
    log = _filled(tmp_path_factory.mktemp("log") / "audit.jsonl", 2)
    whole = log.path.read_bytes()
    kept = whole[: max(1, len(whole) - cut)]
    log.path.write_bytes(kept)
    log.write("train", who="Bo")
    assert log.path.read_bytes().startswith(kept)
    assert list(log.lines())[-1]["action"] == "train"
    assert all("torn" in problem.reason for problem in log.problems())


def test_many_writers_lose_no_line(tmp_path):
    path = tmp_path / "audit.jsonl"
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: AuditLog(path).write("submit", image=str(n)), range(40)))
    assert sorted(int(line["image"]) for line in AuditLog(path).lines()) == list(range(40))
    assert AuditLog(path).problems() == []
    assert all(json.loads(line) for line in path.read_text(encoding="utf-8").splitlines())
