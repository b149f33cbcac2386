from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest

from spss.datasets import make_phantoms
from spss.propagation.evidence import FEATURES
from spss.propagation.learned_end import load_end
from spss_apps.benchmarks import fit_end


@pytest.fixture
def volumes(tmp_path, monkeypatch):
    """Phantoms that stand for both main sets, and a ball in a volume of organs."""
    monkeypatch.setattr("spss_apps.benchmarks.propagation_tasks.HIPPOCAMPUS_VOLUMES", 2)
    make_phantoms(tmp_path / "set", 8, shape=(16, 20, 16), seed=3)
    ball = (np.indices((28, 28, 28)) - 14).astype(np.float32)
    labels = ((ball**2).sum(0) < 50).astype(np.uint8)
    for name, values in (("image", labels + ball[0] / 50), ("labels", labels)):
        nib.save(nib.Nifti1Image(values, np.eye(4)), tmp_path / f"{name}.nii.gz")
    return tmp_path


@pytest.fixture
def run(volumes, monkeypatch):
    return lambda *words: _run(volumes, monkeypatch, words)


def _run(volumes, monkeypatch, words):
    main_set = str(volumes / "set")
    out = volumes / f"{len(words)}.npz"  # constants are read once a file
    words = (out, "--hippocampus", main_set, "--acdc", main_set, *words)
    monkeypatch.setattr("sys.argv", ["fit_end.py", *map(str, words)])
    fit_end.main()
    return load_end(out)


def test_organs_are_known_to_the_general_fit_alone(volumes, run):
    organs = ("--organs", volumes / "image.nii.gz", volumes / "labels.nii.gz")
    few = ("--planes", 3, "--organ-planes", 3, "--steps", 8)
    end = run(*few, *organs)
    assert end.familiarity.known.shape[1] == 2 * len(FEATURES)
    pairs = zip(end.special.weights, end.general.weights, strict=True)
    assert all((special != general).any() for special, general in pairs)
    fewer = run(*few, "--leave-out", "acdc").familiarity.known
    assert len(fewer) < len(end.familiarity.known)


def test_without_organs_one_fit_is_both(run):
    end = run("--planes", 3, "--steps", 8)
    for special, general in zip(end.special.weights, end.general.weights, strict=True):
        np.testing.assert_array_equal(special, general)
