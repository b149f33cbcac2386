from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest

from spss.cli.main import main
from spss.volumes import read_label

AFFINE = np.diag([1.0, -1.5, 2.0, 1.0])


@pytest.fixture
def files(tmp_path):
    label = np.zeros((20, 22, 18), np.uint8)
    label[4:16, 6:15, 5:13] = 1
    noise = np.random.default_rng(0).normal(0, 3, label.shape)
    image = (100 * label + noise).astype(np.float32)
    drawn = np.zeros_like(label)
    drawn[:, :, 9] = label[:, :, 9]
    paths = {}
    for name, array in {"image": image, "drawn": drawn, "dense": label}.items():
        paths[name] = tmp_path / f"{name}.nii.gz"
        nib.save(nib.Nifti1Image(array, AFFINE), paths[name])
    paths["out"] = tmp_path / "out.nii.gz"
    return paths, label


def _run(paths, *arguments, label="drawn"):
    return main(
        ["propagate", str(paths["image"]), str(paths[label]), "-o", str(paths["out"]), *arguments]
    )


def test_a_plane_in_the_label_is_found_and_carried(files, tmp_path):
    paths, label = files
    reliability = tmp_path / "reliability.nii.gz"

    assert _run(paths, "--reliability", str(reliability)) == 0

    found = read_label(paths["out"])
    assert 2 * ((found == 1) & (label == 1)).sum() / ((found == 1).sum() + label.sum()) > 0.8
    written = nib.load(reliability)
    np.testing.assert_allclose(written.affine, AFFINE)
    values = np.asarray(written.dataobj)
    assert (values[:, :, 9] == 1).all()
    assert 0 <= values.min() < 1


def test_planes_of_a_dense_label_are_named_by_the_user(files, capsys):
    paths, _ = files
    assert _run(paths, "--axis", "1", "--plane", "10", "--plane", "12", label="dense") == 0
    assert "2 plane(s): axis 1 index 10, axis 1 index 12" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "label", "message"),
    [
        (["--plane", "3"], "drawn", "--plane needs --axis"),
        (["--axis", "0", "--plane", "99"], "drawn", "lies outside the volume"),
        (["--axis", "0", "--plane", "0"], "dense", "Every annotated plane is empty"),
        (["--propagator", "teleport"], "drawn", "There is no propagator"),
        ([], "dense", "say which planes were annotated"),
        (["--axis", "0"], "drawn", "No annotated plane was found along axis 0"),
    ],
)
def test_bad_input_is_one_clear_line(files, capsys, arguments, label, message):
    paths, _ = files
    assert _run(paths, *arguments, label=label) == 2
    printed = capsys.readouterr().err
    assert message in printed
    assert printed.count("\n") == 1
    assert not paths["out"].exists()


def test_two_labels_that_contradict_warn_and_the_later_wins(files, tmp_path):
    paths, label = files
    other = np.zeros_like(label)
    other[10] = 2 * label[10]
    second = tmp_path / "second.nii.gz"
    nib.save(nib.Nifti1Image(other, AFFINE), second)
    with pytest.warns(UserWarning, match="contradict each other in 9 voxels"):
        status = main(
            [
                "propagate",
                str(paths["image"]),
                str(paths["drawn"]),
                str(second),
                "-o",
                str(paths["out"]),
            ]
        )
    assert status == 0
    assert (read_label(paths["out"])[10] == other[10]).all()


def test_a_model_speaks_where_the_planes_are_far(files, always_one):
    paths, label = files
    far, plane = np.s_[:, :, 0], np.s_[:, :, 9]
    assert _run(paths) == 0
    assert not read_label(paths["out"])[far].any()

    assert _run(paths, "--model", str(always_one)) == 0

    found = read_label(paths["out"])
    assert (found[far] == 1).mean() > 0.9
    np.testing.assert_array_equal(found[plane], label[plane])


def test_a_model_of_fewer_classes_is_refused(files, always_one, capsys):
    paths, label = files
    nib.save(nib.Nifti1Image(3 * label, AFFINE), paths["dense"])
    arguments = ["--axis", "2", "--plane", "9", "--model", str(always_one)]
    assert _run(paths, *arguments, label="dense") == 2
    assert "knows 2 classes" in capsys.readouterr().err


@pytest.fixture
def always_one(tmp_path):
    """A model that calls every voxel class 1, whatever it sees."""
    import torch

    from spss.networks import build_segmenter
    from spss.training.fingerprint import Fingerprint
    from spss.training.model_file import ModelConfig, save_model
    from spss.training.plan import make_plan

    sizes = np.asarray([[16, 16, 16]]), np.asarray([[1.0, 1.5, 2.0]])
    plan = make_plan(Fingerprint(*sizes, np.linspace(0, 1, 50, dtype="f4"), {}), memory_gb=2.0)
    network = build_segmenter(plan.architecture, class_count=2, seed=0)
    with torch.no_grad():
        *_, last = (each for each in network.modules() if isinstance(each, torch.nn.Conv3d))
        last.weight.zero_()
        last.bias.copy_(torch.tensor([-4.0, 4.0]))
    save_model(tmp_path / "model", ModelConfig(("background", "one"), (0, 1), plan, {}), network)
    return tmp_path / "model"


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("registration network", ("--diffeomorphic",)),
        ("correspondence network", ("--propagator", "correspondence")),
    ],
)
def test_a_network_is_trained_once_and_used_again(kind, options, files, tmp_path, capsys):
    paths, _ = files
    folder = tmp_path / "images"
    folder.mkdir()
    for name in ("a", "b"):
        (folder / f"{name}.nii.gz").write_bytes(paths["image"].read_bytes())
    weights = tmp_path / "network.pt"
    arguments = ["--weights", str(weights), "--train-on", str(folder), "--axis", "2", *options]

    assert _run(paths, *arguments, "--train-steps", "2") == 0
    assert f"{kind}, trained on 2 images" in capsys.readouterr().out
    written = weights.read_bytes()
    first = read_label(paths["out"])

    assert _run(paths, *arguments) == 0
    assert weights.read_bytes() == written
    assert "trained on" not in capsys.readouterr().out
    np.testing.assert_array_equal(read_label(paths["out"]), first)


def test_training_needs_images_and_a_place(files, tmp_path, capsys):
    paths, _ = files
    assert _run(paths, "--train-on", str(tmp_path)) == 2
    assert "--train-on needs --weights" in capsys.readouterr().err
    empty = tmp_path / "empty"
    empty.mkdir()
    assert _run(paths, "--train-on", str(empty), "--weights", str(tmp_path / "r.pt")) == 2
    assert "There is no image" in capsys.readouterr().err
