import json

import nibabel as nib
import numpy as np
import pytest

from spss.cli.main import main
from spss.datasets import make_phantoms
from spss.volumes import read_label


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    root = tmp_path_factory.mktemp("data") / "with spaces and ü"
    dataset = make_phantoms(root, 5, shape=(16, 20, 16), seed=1)
    name = dataset.cases[0].name
    (root / "planes.json").write_text(
        json.dumps({name: [{"axis": 0, "index": 7}]}), encoding="utf-8"
    )
    return dataset


def _train(root, out, method, iterations, *more):
    """Exit status of a short training on the CPU."""
    named = ["--annotations", str(root / "planes.json"), "--method", method, "--out", str(out)]
    length = ["--iterations", str(iterations), "--device", "cpu", "--quiet"]
    return main(["train", str(root), *named, *length, *more])


@pytest.fixture(scope="module")
def model(data, tmp_path_factory):
    out = tmp_path_factory.mktemp("model")
    assert _train(data.root, out, "pseudo", 3, "--memory-gb", "1") == 0
    return out


def test_training_writes_what_is_promised(model):
    names = {path.name for path in model.iterdir()}
    assert {"model.pt", "config.json", "log.jsonl", "tensorboard"} <= names
    config = json.loads((model / "config.json").read_text(encoding="utf-8"))
    assert config["training"]["method"] == "pseudo"
    start = json.loads((model / "log.jsonl").read_text(encoding="utf-8").splitlines()[0])
    assert (start["volumes"], start["labelled"]) == (5, 1)


def test_resuming_a_finished_training_does_nothing_more(data, model, capsys):
    assert _train(data.root, model, "pseudo", 3, "--resume") == 0
    assert "3 iterations" in capsys.readouterr().out


def test_constants_of_the_method_can_be_set_and_belong_to_the_training(data, tmp_path, capsys):
    out = tmp_path / "model"
    assert _train(data.root, out, "pseudo", 2, "--set", "distance_decay=0.5") == 0
    config = json.loads((out / "config.json").read_text(encoding="utf-8"))
    assert config["training"]["method_config"]["distance_decay"] == 0.5
    capsys.readouterr()
    assert _train(data.root, out, "pseudo", 3, "--resume", "--set", "distance_decay=0.6") == 2
    assert "distance_decay 0.5, but 0.6 was asked for" in capsys.readouterr().err
    assert _train(data.root, out, "pseudo", 3, "--resume") == 0  # goes on with those of before
    assert _train(data.root, tmp_path / "other", "pseudo", 2, "--set", "decay=1") == 2
    assert "pseudo has no constant 'decay'" in capsys.readouterr().err
    assert not (tmp_path / "other").exists()


def test_labels_outside_the_named_planes_are_never_read(data, tmp_path):
    from spss.datasets import load_label_of, read_annotations

    case = data.cases[0]
    stored = nib.load(case.label)
    poisoned = np.full(stored.shape, 77, np.uint8)
    poisoned[7] = np.asarray(stored.dataobj)[7]
    root = tmp_path / "poisoned"
    make_phantoms(root, 5, shape=(16, 20, 16), seed=1)
    for label in (root / "labelsTr").iterdir():
        label.write_bytes(b"not a label")
    nib.save(nib.Nifti1Image(poisoned, stored.affine), root / "labelsTr" / case.label.name)
    (root / "planes.json").write_text(
        (data.root / "planes.json").read_text(encoding="utf-8"), encoding="utf-8"
    )
    assert _train(root, tmp_path / "out", "mean_teacher", 2) == 0
    assert read_annotations(root / "planes.json", data).keys() == {case.name}
    assert load_label_of(data.cases[1], {}) is None


def test_predictions_have_the_images_names_and_grids(data, model, tmp_path):
    images = [str(case.image) for case in data.cases[:2]]
    status = main(
        [
            "predict",
            "--model",
            str(model),
            *images,
            "-o",
            str(tmp_path),
            "--uncertainty",
            "--device",
            "cpu",
        ]
    )
    assert status == 0
    for case in data.cases[:2]:
        written = nib.load(tmp_path / case.image.name)
        assert np.allclose(written.affine, nib.load(case.image).affine)
        assert read_label(tmp_path / case.image.name).max() <= 2
        uncertainty = nib.load(tmp_path / f"{case.name}_uncertainty.nii.gz").get_fdata()
        assert 0 <= uncertainty.min() <= uncertainty.max() <= 1


def test_a_broken_image_among_others_is_named_and_the_rest_is_predicted(
    data, model, tmp_path, capsys
):
    broken = tmp_path / "broken.nii.gz"
    broken.write_bytes(b"")
    status = main(
        [
            "predict",
            "--model",
            str(model),
            str(broken),
            str(data.cases[0].image),
            "-o",
            str(tmp_path / "out"),
            "--device",
            "cpu",
        ]
    )
    captured = capsys.readouterr()
    assert status == 2
    assert "broken" in captured.err
    assert "1 of 2 images" in captured.out
    assert (tmp_path / "out" / data.cases[0].image.name).is_file()


def test_two_images_of_one_name_are_refused(data, model, tmp_path, capsys):
    twin = tmp_path / data.cases[0].image.name
    twin.write_bytes(data.cases[0].image.read_bytes())
    status = main(
        [
            "predict",
            "--model",
            str(model),
            str(twin),
            str(data.cases[0].image),
            "-o",
            str(tmp_path / "out"),
            "--device",
            "cpu",
        ]
    )
    assert status == 2
    assert "same name" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (["--method", "magic"], "no training method 'magic'"),
        (["--iterations", "0"], "at least one iteration"),
        (["--device", "cuda:99"], "cannot be used here"),
    ],
)
def test_wrong_options_end_in_one_line(data, tmp_path, capsys, change, message):
    arguments = [str(data.root), "--annotations", str(data.root / "planes.json"), "--quiet"]
    assert main(["train", *arguments, "--out", str(tmp_path), *change]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
