"""Checkpoints are written when that costs little of the time."""

from spss.training.checkpoint import WRITING_SHARE, Occasionally


def test_writing_takes_no_more_than_its_share_of_the_time():
    now, written = [0.0], []

    def write():
        written.append(now[0])
        now[0] += 1.0  # a second each

    keep = Occasionally(write, clock=lambda: now[0])
    for _ in range(200):
        keep()
        now[0] += 0.5
    assert written[0] == 0.0
    assert 5 <= len(written) <= WRITING_SHARE * now[0] + 1


def test_where_writing_is_cheap_every_round_is_kept():
    now, written = [0.0], []

    def write():
        written.append(now[0])
        now[0] += 0.01

    keep = Occasionally(write, clock=lambda: now[0])
    for _ in range(10):
        keep()
        now[0] += 1.0
    assert len(written) == 10
