"""A process of MONAI Label's for a background task lets the server's answers go first."""

import gc
import sys
from types import SimpleNamespace

import pytest

from spss_app import background


@pytest.mark.parametrize(
    ("program", "steps"),
    [("monailabel.interfaces.utils.app", [10]), ("monailabel.main", []), (None, [])],
)
def test_only_a_task_process_steps_aside(monkeypatch, program, steps):
    asked = []
    spec = None if program is None else SimpleNamespace(name=program)
    monkeypatch.setitem(sys.modules, "__main__", SimpleNamespace(__spec__=spec))
    monkeypatch.setattr(background.os, "nice", asked.append)
    background.step_aside()
    assert asked == steps


def test_a_full_collection_leaves_the_start_alone(server):
    app = server.app  # made when it is first asked for
    assert gc.get_freeze_count() > 100_000  # the imported libraries
    looked_at = {id(each) for each in gc.get_objects()}
    assert id(app) not in looked_at
