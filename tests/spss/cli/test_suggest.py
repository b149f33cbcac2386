"""``spss suggest``: planes without a server, with and without a model."""

import json

import pytest

from spss.cli.main import main
from spss.datasets import make_phantoms
from spss.networks import build_segmenter
from spss.training import TrainingCase
from spss.training.fingerprint import take_fingerprint
from spss.training.model_file import ModelConfig, save_model
from spss.training.plan import make_plan

pytestmark = pytest.mark.filterwarnings("ignore")  # torch and MONAI warn among themselves

FILE = "planes.json"


@pytest.fixture
def data(tmp_path):
    dataset = make_phantoms(tmp_path / "data", 5, shape=(16, 20, 16), seed=1)
    write(dataset, {dataset.cases[0].name: [{"axis": 0, "index": 7}]})
    return dataset


@pytest.fixture
def model(data, tmp_path):
    """A network that has learned nothing: enough to be asked."""
    plan = make_plan(
        take_fingerprint([TrainingCase(case.name, case.image) for case in data.cases]), memory_gb=1
    )
    config = ModelConfig(data.class_names, (0, 1, 2), plan, {"precision": "float32"})
    save_model(tmp_path / "model", config, build_segmenter(plan.architecture, class_count=3))
    return tmp_path / "model"


def write(dataset, annotations):
    (dataset.root / FILE).write_text(json.dumps(annotations), encoding="utf-8")


def ask(data, *options):
    return main(
        ["suggest", str(data.root), "--annotations", str(data.root / FILE), *map(str, options)]
    )


def answers(data, capsys, *options):
    assert ask(data, "--json", *options) == 0
    return json.loads(capsys.readouterr().out)


def test_without_a_model_planes_lie_in_untouched_volumes(data, capsys):
    found = answers(data, capsys, "-n", 4)
    assert {each["image"] for each in found} == {case.name for case in data.cases[1:]}
    assert all("what the image shows" in each["reason"] for each in found)
    assert all(0 <= each["index"] < 20 for each in found)


def test_with_a_model_the_reason_has_its_numbers_and_scores_are_kept(data, model, capsys):
    options = ("-n", 1, "--strategy", "self_paced", "--model", model, "--device", "cpu")
    (first,) = answers(data, capsys, *options)
    assert "expected Dice" in first["reason"] or "nothing is predicted" in first["reason"]
    files = sorted((model / "plane_scores").iterdir())
    assert len(files) == 5
    before = [path.stat().st_mtime_ns for path in files]
    assert answers(data, capsys, *options) == [first]
    assert [path.stat().st_mtime_ns for path in files] == before


def test_scores_of_another_model_or_damaged_ones_are_computed_anew_and_it_says_so(
    data, model, capsys
):
    assert ask(data, "--model", model, "--device", "cpu") == 0
    files = sorted((model / "plane_scores").iterdir())
    document = json.loads(files[0].read_text(encoding="utf-8"))
    document["note"]["model"] = "another"
    files[0].write_text(json.dumps(document), encoding="utf-8")
    files[1].write_text("{", encoding="utf-8")
    capsys.readouterr()
    assert ask(data, "--model", model, "--device", "cpu") == 0
    assert "2 images were scored anew, since the scores are of another model" in (
        capsys.readouterr().err
    )
    assert json.loads(files[0].read_text(encoding="utf-8"))["note"]["model"] != "another"


def test_a_removed_image_is_passed_over_and_a_broken_one_named(data, model, capsys):
    assert ask(data, "--model", model, "--device", "cpu") == 0
    description = json.loads((data.root / "dataset.json").read_text(encoding="utf-8"))
    description["training"] = description["training"][:4]
    (data.root / "dataset.json").write_text(json.dumps(description), encoding="utf-8")
    data.cases[2].image.write_bytes(b"no image")
    capsys.readouterr()
    assert ask(data, "--json", "--model", model, "--device", "cpu") == 0
    said = capsys.readouterr()
    asked = {each["image"] for each in json.loads(said.out)}
    assert not asked & {data.cases[4].name, data.cases[2].name}
    assert f"left out {data.cases[2].name}" in said.err


def test_a_model_of_other_classes_is_refused(data, model, capsys):
    description = json.loads((data.root / "dataset.json").read_text(encoding="utf-8"))
    description["labels"] = {"0": "background", "1": "liver", "2": "back"}
    (data.root / "dataset.json").write_text(json.dumps(description), encoding="utf-8")
    assert ask(data, "--model", model, "--device", "cpu") == 2
    assert "knows the class 'front'" in capsys.readouterr().err


def test_nothing_left_is_an_empty_answer_that_says_why(data, capsys):
    write(data, {case.name: "dense" for case in data.cases})
    assert ask(data, "--json") == 0
    said = capsys.readouterr()
    assert json.loads(said.out) == []
    assert "all 5 images are annotated as a whole" in said.err


@pytest.mark.parametrize(
    ("options", "word"),
    [(["-n", "0"], "got 0"), (["--strategy", "best"], "best"), (["--axis", "4"], "'4'")],
)
def test_unusable_options_are_refused(data, capsys, options, word):
    assert ask(data, *options) == 2
    assert word in capsys.readouterr().err
