import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch

from spss.errors import InputError, NotReadyError
from spss.inference import Predictor, memory_plan
from spss.inference.fallback import efforts
from spss.inference.predictor import normalised_entropy
from spss.inference.slabs import plan_slabs
from spss.volumes import Volume


def _volume(shape=(16, 14, 18), affine=None, seed=0):
    data = np.random.default_rng(seed).normal(100, 30, shape).astype(np.float32)
    return Volume(data, np.eye(4) if affine is None else affine, "x")


def test_a_prediction_lies_on_the_grid_of_its_image(make_model):
    predictor = Predictor.load(make_model(), device="cpu")
    volume = _volume((17, 9, 23), np.diag([1.3, 2.1, 0.8, 1.0]))
    found = predictor.predict(volume, uncertainty=True, probabilities=True)
    assert found.classes.shape == volume.shape
    assert found.classes.dtype == np.uint8
    assert found.probabilities.shape == (3, *volume.shape)
    assert np.allclose(found.probabilities.sum(0), 1, atol=1e-3)
    assert np.array_equal(found.probabilities.argmax(0), found.classes)
    assert found.uncertainty.dtype == np.float32
    assert 0 <= found.uncertainty.min() < found.uncertainty.max() <= 1


def test_only_what_was_asked_for_is_computed(make_model):
    found = Predictor.load(make_model(), device="cpu").predict(_volume())
    assert found.probabilities is None
    assert found.uncertainty is None


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_the_orientation_of_the_file_does_not_change_the_answer(make_model, order):
    predictor = Predictor.load(make_model(), device="cpu")
    volume = _volume()
    straight = predictor.predict(volume).classes
    turning = np.eye(4)[:, [*order, 3]]
    shift = np.eye(4)
    shift[:3, :3] = np.diag([-1, 1, -1])
    shift[0, 3], shift[2, 3] = volume.shape[order[0]] - 1, volume.shape[order[2]] - 1
    turned = Volume(
        np.transpose(volume.data, order)[::-1, :, ::-1], volume.affine @ turning @ shift, "t"
    )
    found = predictor.predict(turned).classes
    assert np.array_equal(np.transpose(found[::-1, :, ::-1], np.argsort(order)), straight)


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (1.5, 0.8, 2.0)])
def test_slabs_give_the_same_answer_as_the_whole(make_model, spacing, monkeypatch):
    from spss.networks import window

    monkeypatch.setattr(window, "WHOLE_PATCHES", 0)  # windows in both, or context would differ
    folder = make_model(patch=(8, 8, 8), spacing=spacing)
    volume = _volume((40, 8, 8))
    whole = Predictor.load(folder, device="cpu", memory_gb=1.0).predict(volume, probabilities=True)
    monkeypatch.setattr(memory_plan, "NETWORK_BYTES", 0)
    monkeypatch.setattr(memory_plan, "WINDOW_BYTES_PER_VOXEL", 0)
    tight = Predictor.load(folder, device="cpu", memory_gb=1e-4)
    assert len(tight.memory_plan((40, 8, 8), (40, 8, 8)).slabs) > 1
    parts = tight.predict(volume, probabilities=True)
    assert np.array_equal(parts.classes, whole.classes)
    assert np.allclose(parts.probabilities, whole.probabilities, atol=1e-4)


def test_slabs_cover_every_stored_slice_once():
    slabs = plan_slabs(
        (30, 10, 10), (45, 9, 9), halo=(4, 2, 2), multiple=(4, 4, 4), bytes_per_voxel=(12, 12),
        memory_bytes=12 * 3000,
    )  # fmt: skip
    covered = np.zeros((45, 9, 9), int)
    for slab in slabs:
        covered[slab.write] += 1
        assert slab.bytes(12, 12) <= 12 * 3000
        for read, positions in zip(slab.read, slab.positions, strict=True):
            assert read.start % 4 == 0
            assert positions.min() >= 0
            assert positions.max() <= read.stop - read.start - 1
    assert (covered == 1).all()
    assert len({slab.write[0].start for slab in slabs}) > 1


class _Scarce:
    """A network that has memory for so many voxels only."""

    def __init__(self, network, voxels):
        self.network, self.voxels, self.largest = network, voxels, 0

    def to(self, device):
        return self

    def __call__(self, image):
        size = image[0, 0].numel()
        if size > self.voxels:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        self.largest = max(self.largest, size)
        return self.network(image)


def test_where_memory_runs_out_windows_get_smaller_and_it_is_said(make_model):
    predictor = Predictor.load(make_model(patch=(32, 32, 32)), device="cpu")
    volume = _volume((32, 32, 40))
    usual = predictor.predict(volume)
    assert not any("ran out" in remark for remark in usual.remarks)
    predictor.network = _Scarce(predictor.network, 16**3)
    found = predictor.predict(volume, uncertainty=True)
    assert found.remarks[-1] == (
        "Memory ran out: predicted on the CPU, in windows of 16 x 16 x 16 voxels."
    )
    assert (found.classes == usual.classes).mean() > 0.7
    predictor.network.voxels = 7
    with pytest.raises(InputError, match="too little memory"):
        predictor.predict(volume)
    predictor.network.voxels = 10**9
    assert np.array_equal(predictor.predict(volume).classes, usual.classes)


def test_another_error_of_the_network_is_not_taken_for_a_lack_of_memory(make_model):
    predictor = Predictor.load(make_model(), device="cpu")

    def broken(image):
        raise RuntimeError("shapes do not match")

    broken.to = lambda device: broken
    predictor.network = broken
    with pytest.raises(RuntimeError, match="shapes"):
        predictor.predict(_volume())


def test_a_gpu_gives_way_to_the_cpu_last():
    ways = efforts(torch.device("cuda"), (64, 64, 32), (8, 8, 4))
    assert ways[0].whole
    devices = [way.device.type for way in ways]
    assert devices == sorted(devices, reverse=True)  # cuda first
    sizes = [np.prod(way.window) for way in ways if way.device.type == "cuda"]
    assert sizes == sorted(sizes, reverse=True)
    assert all((np.array(way.window) % (8, 8, 4) == 0).all() for way in ways)


@pytest.mark.parametrize("classes", [3, 14])
def test_a_ct_of_600_slices_is_planned_into_its_memory(make_model, classes):
    predictor = Predictor.load(make_model(patch=(96, 96, 96), spacing=(1.5, 1.5, 1.5)))
    config = replace(predictor.config, classes=tuple(range(classes)))
    planned, stored = (240, 240, 300), (512, 512, 600)
    plan = memory_plan.plan_memory(config, planned, stored, budget_gb=6.0)
    assert plan.peak_gb <= 6.0
    whole = memory_plan.plan_memory(config, planned, stored, budget_gb=500.0)
    assert len(whole.slabs) == 1
    assert len(plan.slabs) > 1
    tight = memory_plan.plan_memory(config, planned, stored, budget_gb=0.1)
    assert "does not fit" in tight.in_words()


def test_a_class_without_an_output_is_never_predicted(make_model):
    folder = make_model(classes=(0, 2))
    found = Predictor.load(folder, device="cpu").predict(_volume(), probabilities=True)
    assert set(np.unique(found.classes)) == {0, 2}
    assert (found.probabilities[1] == 0).all()


def test_predicting_twice_gives_the_same_maps(make_model):
    predictor = Predictor.load(make_model(), device="cpu")
    first, second = (predictor.predict(_volume(), uncertainty=True) for _ in range(2))
    assert np.array_equal(first.uncertainty, second.uncertainty)


@pytest.mark.parametrize("shape", [(3, 3, 3), (1, 1, 2), (40, 30, 1), (60, 9, 9)])
def test_any_size_can_be_predicted(make_model, shape):
    found = Predictor.load(make_model(), device="cpu").predict(_volume(shape), uncertainty=True)
    assert found.classes.shape == found.uncertainty.shape == shape


def test_a_constant_image_is_refused(make_model):
    with pytest.raises(InputError, match="constant"):
        Predictor.load(make_model(), device="cpu").predict(
            Volume(np.full((5, 5, 5), 3, np.float32), np.eye(4), "flat")
        )


def test_entropy_is_one_where_nothing_is_known():
    assert normalised_entropy(np.full((4, 2), 0.25, np.float32)) == pytest.approx(1)
    assert normalised_entropy(np.eye(4, dtype=np.float32)) == pytest.approx(0, abs=1e-5)
    assert normalised_entropy(np.ones((1, 3), np.float32)).tolist() == [0, 0, 0]


def test_no_model_yet_is_not_an_input_error(tmp_path):
    with pytest.raises(NotReadyError, match="train one"):
        Predictor.load(tmp_path, device="cpu")


def test_a_damaged_model_is_named(make_model):
    folder = make_model()
    (folder / "model.pt").write_bytes((folder / "model.pt").read_bytes()[:2000])
    with pytest.raises(InputError, match=r"model\.pt cannot be read"):
        Predictor.load(folder, device="cpu")


def test_a_model_that_carries_code_is_not_run(make_model, tmp_path):
    class Evil:
        def __reduce__(self):
            return (open, (str(tmp_path / "run"), "w"))

    folder = make_model()
    torch.save({"format": 1, "config": Evil(), "weights": {}}, folder / "model.pt")
    with pytest.raises(InputError, match="cannot be read"):
        Predictor.load(folder, device="cpu")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("damage", ["missing", "unknown", "shape", "nan"])
def test_weights_that_do_not_fit_are_named(make_model, damage):
    folder = make_model()
    content = torch.load(folder / "model.pt", weights_only=True)
    name = next(iter(content["weights"]))
    weight = content["weights"].pop(name)
    if damage == "unknown":
        content["weights"] |= {name: weight, "extra": torch.zeros(2)}
        name = "extra"
    elif damage == "shape":
        content["weights"][name] = weight[:1]
    elif damage == "nan":
        content["weights"][name] = weight * float("nan")
    torch.save(content, folder / "model.pt")
    with pytest.raises(InputError, match=name):
        Predictor.load(folder, device="cpu")


def test_a_temperature_changes_how_sure_an_answer_is_and_not_the_answer(make_model):
    predictor = Predictor.load(make_model(), device="cpu")
    plain = predictor.predict(_volume(), uncertainty=True, probabilities=True)
    predictor.config.training["temperature"] = 3.0
    calm = predictor.predict(_volume(), uncertainty=True, probabilities=True)
    assert np.array_equal(calm.classes, plain.classes)
    assert np.allclose(calm.probabilities.sum(axis=0), 1, atol=1e-5)
    assert calm.probabilities.max(axis=0).mean() < plain.probabilities.max(axis=0).mean() - 0.01
    assert calm.uncertainty.mean() > plain.uncertainty.mean() + 0.01
