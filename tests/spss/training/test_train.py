import json
from dataclasses import dataclass

import numpy as np
import pytest
import torch

from spss.annotation import SparseLabel
from spss.errors import InputError, SpssError
from spss.methods import METHODS
from spss.methods.masked import Masked
from spss.training import TrainingCase, train
from spss.training.model_file import load_model
from spss.volumes import Volume, write_map

CPU = torch.device("cpu")
NAMES = ("background", "front", "back")


def _weights(folder):
    return load_model(folder, CPU)[1].state_dict()


def _same(first, second):
    return all(torch.equal(value, second[name]) for name, value in first.items())


def _log(folder):
    return [
        json.loads(line) for line in (folder / "log.jsonl").read_text(encoding="utf-8").splitlines()
    ]


@pytest.mark.parametrize("method", ["masked", "pseudo", "mean_teacher"])
def test_a_training_leaves_a_model_a_log_and_curves(tmp_path, cases, quick, method):
    seen = []
    result = train(
        cases, NAMES, out=tmp_path, method=method, iterations=6, on_progress=seen.append, **quick
    )
    assert result.finished
    assert load_model(tmp_path, CPU)[0].training["method"] == method
    assert json.loads((tmp_path / "config.json").read_text(encoding="utf-8"))[
        "class_names"
    ] == list(NAMES)
    assert list((tmp_path / "tensorboard").glob("events*"))
    assert [entry["epoch"] for entry in seen] == [0, 1, 2, 3, 4, 5, 6]
    assert all(entry["total_epochs"] == 6 and "best_metric" in entry for entry in seen)
    losses = [line["loss"] for line in _log(tmp_path) if line["event"] == "round"]
    assert len(losses) == 6
    assert np.isfinite(losses).all()


def test_the_loss_falls_and_the_organ_is_found(tmp_path, phantoms, cases, quick):
    from spss.inference import Predictor
    from spss.volumes import read_image, read_label

    train(cases, NAMES, out=tmp_path, method="pseudo", iterations=150, **quick)
    rounds = [line["loss"] for line in _log(tmp_path) if line["event"] == "round"]
    assert np.mean(rounds[-5:]) < 0.6 * np.mean(rounds[:5])
    unseen = phantoms.cases[-1]
    found = Predictor.load(tmp_path, device="cpu").predict(read_image(unseen.image)).classes > 0
    truth = read_label(unseen.label) > 0
    assert 2 * (found & truth).sum() / (found.sum() + truth.sum()) > 0.5


def test_the_same_seed_gives_the_same_weights_and_another_does_not(tmp_path, cases, quick):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        train(cases, NAMES, out=tmp_path / name, iterations=4, seed=seed, **quick)
    assert _same(_weights(tmp_path / "a"), _weights(tmp_path / "b"))
    assert not _same(_weights(tmp_path / "a"), _weights(tmp_path / "c"))


@pytest.mark.parametrize("method", sorted(METHODS))
def test_a_stopped_and_resumed_training_ends_with_the_same_weights(tmp_path, cases, quick, method):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    quick["cache"] = tmp_path / "cache"
    train(cases, NAMES, out=whole, method=method, iterations=8, **quick)
    steps = iter(range(100))
    first = train(
        cases,
        NAMES,
        out=parts,
        method=method,
        iterations=8,
        should_stop=lambda: next(steps) >= 4,
        **quick,
    )
    assert not first.finished
    assert first.iterations == 5
    second = train(cases, NAMES, out=parts, method=method, iterations=8, resume=True, **quick)
    assert second.finished
    assert _same(_weights(whole), _weights(parts))
    kept = [torch.load(folder / "checkpoint.pt") for folder in (whole, parts)]
    assert _same(kept[0]["student"], kept[1]["student"])


def test_a_killed_training_resumes_from_its_last_round(tmp_path, cases, quick):
    def crash(numbers):
        if numbers["iteration"] == 5:
            raise KeyboardInterrupt

    whole, parts = tmp_path / "whole", tmp_path / "parts"
    train(cases, NAMES, out=whole, iterations=8, **quick)
    with pytest.raises(KeyboardInterrupt):
        train(cases, NAMES, out=parts, iterations=8, on_progress=crash, **quick)
    assert not (parts / "model.pt").exists()
    train(cases, NAMES, out=parts, iterations=8, resume=True, **quick)
    assert _same(_weights(whole), _weights(parts))


def test_a_stop_file_ends_a_training(tmp_path, cases, quick):
    def ask(numbers):
        if numbers["iteration"] == 2:
            (tmp_path / "stop").touch()

    result = train(cases, NAMES, out=tmp_path, iterations=50, on_progress=ask, **quick)
    assert not result.finished
    assert result.iterations < 5


def test_minutes_limit_a_training(tmp_path, cases, quick):
    result = train(cases, NAMES, out=tmp_path, method="masked", minutes=0.02, **quick)
    assert result.finished
    assert result.iterations >= 1
    assert 1.2 <= result.seconds < 15


def test_resuming_with_other_labels_is_refused(tmp_path, cases, quick):
    train(cases, NAMES, out=tmp_path, iterations=2, **quick)
    with pytest.raises(InputError, match="changed since"):
        train(cases[1:], NAMES, out=tmp_path, iterations=4, resume=True, **quick)
    with pytest.raises(InputError, match="has method 'spss'"):
        train(cases, NAMES, out=tmp_path, method="pseudo", iterations=4, resume=True, **quick)


def test_a_damaged_checkpoint_is_named(tmp_path, cases, quick):
    (tmp_path / "checkpoint.pt").write_bytes(b"PK\x03\x04 half")
    with pytest.raises(InputError, match="cannot be read"):
        train(cases, NAMES, out=tmp_path, iterations=2, resume=True, **quick)


def test_bad_numbers_are_reported_with_their_images_and_the_training_goes_on(
    tmp_path, cases, quick, monkeypatch
):
    class Explosive(Masked):
        def training_step(self, batch, context):
            losses = super().training_step(batch, context)
            bad = context.iteration in (2, 3)
            return {"loss": losses["loss"] * (float("nan") if bad else 1.0)}

    monkeypatch.setitem(METHODS, "masked", Explosive)
    result = train(cases, NAMES, out=tmp_path, method="masked", iterations=6, **quick)
    refused = [line for line in _log(tmp_path) if line["event"] == "step_refused"]
    assert [line["iteration"] for line in refused] == [2, 3]
    assert set(refused[0]["images"]) <= {case.name for case in cases}
    assert result.finished
    assert sum(result.refused.values()) > 0
    assert all(torch.isfinite(value).all() for value in _weights(tmp_path).values())


def test_weights_that_broke_are_taken_back_to_the_last_good_ones(
    tmp_path, cases, quick, monkeypatch
):
    class Poison(Masked):
        def training_step(self, batch, context):
            if context.iteration == 3:
                with torch.no_grad():
                    next(context.student.parameters()).fill_(float("nan"))
            return super().training_step(batch, context)

    monkeypatch.setitem(METHODS, "masked", Poison)
    result = train(cases, NAMES, out=tmp_path, method="masked", iterations=6, **quick)
    assert result.finished
    assert all(torch.isfinite(value).all() for value in _weights(tmp_path).values())


def test_a_training_that_only_fails_says_so(tmp_path, cases, quick, monkeypatch):
    class Hopeless(Masked):
        def training_step(self, batch, context):
            return {"loss": super().training_step(batch, context)["loss"] * float("nan")}

    monkeypatch.setitem(METHODS, "masked", Hopeless)
    with pytest.raises(SpssError, match="25 steps in a row"):
        train(cases, NAMES, out=tmp_path, method="masked", iterations=100, **quick)


def test_a_class_that_nobody_annotated_is_reported_and_never_predicted(tmp_path, phantoms, quick):
    from spss.inference import Predictor
    from spss.volumes import read_image, read_label

    def only_front(case):
        def load():
            label = read_label(case.label)
            return SparseLabel.dense(np.where(label == 1, 1, 0).astype(np.uint8))

        return load

    cases = [TrainingCase(case.name, case.image, only_front(case)) for case in phantoms.cases]
    said = []
    result = train(
        cases, NAMES, out=tmp_path, method="pseudo", iterations=3, say=said.append, **quick
    )
    assert result.absent_classes == ("back",)
    assert any("back" in sentence for sentence in said)
    volume = read_image(phantoms.cases[0].image)
    prediction = Predictor.load(tmp_path, device="cpu").predict(volume, probabilities=True)
    assert set(np.unique(prediction.classes)) <= {0, 1}
    assert prediction.probabilities.shape[0] == 3
    assert (prediction.probabilities[2] == 0).all()


def test_broken_volumes_among_many_are_skipped_and_named(tmp_path, cases, quick):
    (tmp_path / "zero.nii.gz").write_bytes(b"")
    flat = np.zeros((9, 9, 9), np.float32)
    write_map(tmp_path / "flat.nii.gz", flat, like=Volume(flat, np.eye(4)))
    broken = [
        TrainingCase("zero", tmp_path / "zero.nii.gz"),
        TrainingCase("flat", tmp_path / "flat.nii.gz"),
    ]
    result = train([*broken, *cases], NAMES, out=tmp_path / "out", iterations=2, **quick)
    assert sorted(result.skipped) == ["flat", "zero"]


def test_without_any_annotation_there_is_nothing_to_learn(tmp_path, cases, quick):
    with pytest.raises(InputError, match="No volume has an annotation"):
        train(cases[3:], NAMES, out=tmp_path, iterations=2, **quick)


@pytest.mark.parametrize("shape", [(3, 3, 3), (24, 20, 1), (5, 30, 4)])
def test_tiny_and_flat_volumes_train_and_predict(tmp_path, shape, quick):
    from spss.inference import Predictor

    image = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    write_map(tmp_path / "x.nii.gz", image, like=Volume(image, np.eye(4)))
    label = SparseLabel.dense((image > 0).astype(np.uint8))
    case = TrainingCase("x", tmp_path / "x.nii.gz", lambda: label)
    train([case], NAMES[:2], out=tmp_path / "out", iterations=2, **quick)
    predictor = Predictor.load(tmp_path / "out", device="cpu")
    found = predictor.predict(Volume(image, np.eye(4)), uncertainty=True)
    assert found.classes.shape == found.uncertainty.shape == shape


def test_one_annotated_voxel_is_enough_to_start(tmp_path, phantoms, quick):
    annotated = np.zeros((16, 20, 16), bool)
    annotated[8, 10, 8] = True
    label = SparseLabel(annotated.astype(np.uint8), annotated)
    case = TrainingCase("clicked", phantoms.cases[0].image, lambda: label)
    assert train([case], NAMES, out=tmp_path, iterations=2, **quick).finished


def test_validation_reports_the_best_metric(tmp_path, cases, quick):
    seen = []
    result = train(
        cases[1:],
        NAMES,
        out=tmp_path,
        iterations=3,
        validation=cases[:1],
        on_progress=seen.append,
        **quick,
    )
    assert 0 <= result.best_metric <= 1
    assert seen[-1]["best_metric"] == result.best_metric


def test_a_method_with_an_embedding_gets_one_and_its_constants(tmp_path, cases, quick, monkeypatch):
    @dataclass(frozen=True)
    class Config:
        width: int = 4

    class Embedding(Masked):
        Config = None
        embedding_channels = 6

        def training_step(self, batch, context):
            logits, embedding = context.embed(batch.image)
            assert embedding.shape[:2] == (len(batch), 6)
            assert self.config.width == 9
            return {"loss": logits.square().mean() + embedding.square().mean()}

    Embedding.Config = Config
    monkeypatch.setitem(METHODS, "embedding", Embedding)
    train(
        cases, NAMES, out=tmp_path, method="embedding", iterations=2,
        method_config=Config(width=9), **quick,
    )  # fmt: skip
    config, network = load_model(tmp_path, CPU)
    assert config.training["method_config"] == {"width": 9}
    assert network.projector is not None


def test_unknown_options_are_refused(tmp_path, cases):
    with pytest.raises(InputError, match="Unknown training option"):
        train(cases, NAMES, out=tmp_path, colour="red")
    with pytest.raises(InputError, match="no training method 'magic'"):
        train(cases, NAMES, out=tmp_path, method="magic")
    with pytest.raises(InputError, match="Device 'cuda:77'"):
        train(cases, NAMES, out=tmp_path, device="cuda:77")
