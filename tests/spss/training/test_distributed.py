import json
import os
import subprocess
import sys

import numpy as np
import pytest
import torch

SCRIPT = """
import atexit, os, sys
from pathlib import Path

import torch

from spss.datasets import load_label_of, open_decathlon, read_annotations
from spss.training import TrainingCase, train

root, out, batch_size = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
end = out / f"in_group_at_the_end_{os.environ.get('RANK')}"
atexit.register(lambda: end.write_text(str(torch.distributed.is_initialized())))
dataset = open_decathlon(root)
annotations = read_annotations(root / "planes.json", dataset)
cases = [
    TrainingCase(case.name, case.image, load_label_of(case, annotations)) for case in dataset.cases
]
train(
    cases, dataset.class_names, out=out, method="pseudo", iterations=4, batch_size=batch_size,
    precision="float32", device="cpu", memory_gb=2.0, learning_rate=2e-3,
)
"""


CLOCKS = """
import os, time

from spss.methods.spss_config import SpssConfig

FEEDBACK = SpssConfig(registration_steps=2)


def fast_in_one():
    return time.monotonic() * (1.0 + 0.3 * int(os.environ["RANK"]))


"""


def _losses(folder):
    lines = [
        json.loads(line) for line in (folder / "log.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    return [line["loss"] for line in lines if line["event"] == "round"]


def _run(arguments, cwd):
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", *arguments],
        env=environment, cwd=cwd, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]


# the teacher from the first step on; noise is drawn by each process for itself, so there is none
SELF_PACED = "SpssConfig(ramp_start=0.0, ramp_length=0.01, noise=0.0)"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "config", "annotated", "batch_size"),
    [("pseudo", "None", 6, 1), ("spss", SELF_PACED, 3, 2)],
)
def test_two_processes_learn_what_one_learns_from_the_doubled_batch(
    tmp_path, phantoms, method, config, annotated, batch_size
):
    from spss.inference import Predictor
    from spss.volumes import read_image

    planes = {case.name: [{"axis": 0, "index": 7}] for case in phantoms.cases[:annotated]}
    (phantoms.root / "planes.json").write_text(json.dumps(planes), encoding="utf-8")
    script = tmp_path / "script.py"
    chosen = f'method="{method}", method_config={config}, iterations=4'
    script.write_text(
        "from spss.methods.spss_config import SpssConfig\n"
        + SCRIPT.replace('method="pseudo", iterations=4', chosen),
        encoding="utf-8",
    )
    root = str(phantoms.root)
    _run([str(script), root, str(tmp_path / "one"), str(2 * batch_size)], tmp_path)
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    _run([*launcher, str(script), root, str(tmp_path / "two"), str(batch_size)], tmp_path)
    for rank in "01":  # the group's threads are ended before the interpreter is
        assert (tmp_path / "two" / f"in_group_at_the_end_{rank}").read_text() == "False"
    assert np.allclose(_losses(tmp_path / "one"), _losses(tmp_path / "two"), rtol=1e-3)
    volume = read_image(phantoms.cases[0].image)
    one, two = (
        Predictor.load(tmp_path / name, device="cpu").predict(volume, probabilities=True)
        for name in ("one", "two")
    )
    assert np.abs(one.probabilities - two.probabilities).max() < 0.01


@pytest.mark.slow
def test_two_processes_with_clocks_of_their_own_renew_labels_together(tmp_path, phantoms):
    planes = {case.name: [{"axis": 0, "index": 7}] for case in phantoms.cases[:3]}
    (phantoms.root / "planes.json").write_text(json.dumps(planes), encoding="utf-8")
    by_the_clock = (
        SCRIPT.replace('method="pseudo", iterations=4', 'method="spss", minutes=0.2')
        .replace("learning_rate=2e-3,", "clock=fast_in_one, method_config=FEEDBACK,")
        .replace("dataset = open", CLOCKS + "dataset = open")
    )
    script = tmp_path / "script.py"
    script.write_text(by_the_clock, encoding="utf-8")
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    _run([*launcher, str(script), str(phantoms.root), str(tmp_path / "two"), "1"], tmp_path)
    checkpoint = torch.load(tmp_path / "two" / "checkpoint.pt", weights_only=True)
    assert set(checkpoint["loader"]["renewed"]) == set(planes)
    assert checkpoint["budget"]["seconds"] < 0.2 * 60  # the fast clock ended it for both
