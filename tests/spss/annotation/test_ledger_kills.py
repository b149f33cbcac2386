"""A kill at any write, flush or rename of any submit loses nothing that was committed."""

import os
import tempfile
from pathlib import Path
from unittest import mock

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from spss.annotation import Ledger, Plane, SparseLabel
from spss.errors import NotReadyError
from spss.types import UNDECIDED

SHAPE = (3, 4, 5)
NAMES = ("background", "one", "two")


class Killed(BaseException):
    """What kill -9 looks like from inside: nothing runs after it, not even ``except OSError``."""


class Failures:
    """Counts the steps that touch the disk and dies at one of them."""

    def __init__(self, at, error):
        self.left, self.error = at, error

    def step(self, act):
        if self.left == 0:
            self.left = -1
            raise self.error
        self.left -= 1
        return act()

    def patches(self):
        replace, fsync, opened = os.replace, os.fsync, open

        def torn_open(path, mode="r", **kwargs):
            file = opened(path, mode, **kwargs)
            if "x" in mode:
                write = file.write
                half = mock.Mock(wraps=file)
                half.__enter__ = lambda _: half
                half.__exit__ = lambda *_: file.close()

                def write_some(data):
                    write(data[: len(data) // 2])
                    self.step(lambda: None)
                    return write(data[len(data) // 2 :])

                half.write = write_some
                return half
            return file

        return (
            mock.patch("os.replace", lambda a, b: self.step(lambda: replace(a, b))),
            mock.patch("os.fsync", lambda handle: self.step(lambda: fsync(handle))),
            mock.patch("spss.annotation.durable.open", torn_open, create=True),
        )


planes = st.builds(Plane, st.just(0), st.integers(0, 2)) | st.builds(
    Plane, st.just(2), st.integers(0, 4)
)
submits = st.tuples(
    st.sampled_from("ab"),
    st.one_of(st.sets(planes, min_size=1, max_size=3), st.just("dense"), st.just("voxels")),
    st.integers(0, 9),
    st.integers(-1, 8),
    st.sampled_from([Killed(), OSError(28, "No space left on device")]),
)


def _label(what, seed):
    label = np.random.default_rng(seed).integers(0, 3, SHAPE).astype(np.uint8)
    if what == "voxels":
        label[1:] = UNDECIDED
    return label


def _expected(state, label, what):
    state = np.full(SHAPE, UNDECIDED, np.uint8) if state is None else state.copy()
    if what in ("dense", "voxels"):
        state[label != UNDECIDED] = label[label != UNDECIDED]
    else:
        decided = SparseLabel.from_planes(label, what)
        state[decided.annotated] = decided.classes[decided.annotated]
    return state


def _actual(ledger, image_id):
    try:
        return ledger.sparse_label(image_id, NAMES).with_undecided()
    except NotReadyError:
        return None


def _same(first, second):
    return (first is None) == (second is None) and (first is None or (first == second).all())


@settings(deadline=None, max_examples=80)
@given(st.lists(submits, min_size=1, max_size=8))
def test_after_any_kills_the_ledger_holds_every_submit_that_was_committed(plan):
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "ledger"
        known = {"a": None, "b": None}
        for image_id, what, seed, kill_at, error in plan:
            label = _label(what, seed)
            wanted = _expected(known[image_id], label, what)
            ledger = Ledger(root)
            failures = Failures(kill_at, error)
            first, second, third = failures.patches()
            finished = False
            with first, second, third:
                try:
                    ledger.record(image_id, label, what, class_names=NAMES, affine=np.eye(4))
                    finished = True
                except (Killed, OSError):
                    pass
            after = _actual(Ledger(root), image_id)
            if finished:
                assert _same(after, wanted)
            else:  # all of it or nothing of it
                assert _same(after, wanted) or _same(after, known[image_id])
            known[image_id] = after
            other = "b" if image_id == "a" else "a"
            assert _same(_actual(Ledger(root), other), known[other])


interleaved = st.lists(
    st.tuples(st.integers(0, 1), st.sets(planes, min_size=1, max_size=2), st.integers(0, 5)),
    min_size=2,
    max_size=8,
)


@settings(deadline=None, max_examples=40)
@given(interleaved)
def test_two_annotators_in_any_order_lose_nothing(plan):
    with tempfile.TemporaryDirectory() as folder:
        ledgers = [Ledger(Path(folder)), Ledger(Path(folder))]
        state = None
        for who, what, seed in plan:
            label = _label(what, seed)
            ledgers[who].record("a", label, what, class_names=NAMES, affine=np.eye(4))
            state = _expected(state, label, what)
        for ledger in ledgers:
            assert _same(_actual(ledger, "a"), state)
        assert ledgers[0].history("a") == ledgers[1].history("a")
