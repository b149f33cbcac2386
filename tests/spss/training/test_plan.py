import json

import numpy as np
import pytest
import torch

from spss.networks import build_segmenter
from spss.training.fingerprint import Fingerprint
from spss.training.normalisation import plan_normalisation
from spss.training.plan import Plan, make_plan
from spss.training.planned_spacing import CPU_COARSER


def _fingerprint(shapes, spacings, intensities=None):
    values = np.linspace(0, 100, 500, dtype=np.float32) if intensities is None else intensities
    return Fingerprint(np.asarray(shapes), np.asarray(spacings, float), values, {})


def _plan(shapes, spacings, memory_gb=6.0, **options):
    return make_plan(_fingerprint(shapes, spacings), memory_gb=memory_gb, **options)


def test_small_volumes_become_whole_patches():
    plan = _plan([(35, 51, 35)] * 5, [(1, 1, 1)] * 5)
    assert plan.patch_size == (40, 56, 40)
    assert plan.batch_size == 2
    assert plan.architecture.channels == (16, 32, 64, 128)
    assert plan.low_resolution_axis is None
    assert _plan([(35, 51, 35)] * 5, [(1, 1, 1)] * 5, on_gpu=True).batch_size == 4


def test_thick_slices_keep_their_whole_plane_and_are_pooled_in_plane_first():
    plan = _plan([(108, 128, 10)] * 5, [(3, 3, 18)] * 5)
    assert plan.patch_size[:2] == (112, 128)
    assert plan.patch_size[2] >= 10
    assert plan.architecture.stem_stride == (2, 2, 1)
    assert "strides 2x2x1, 2x2x1, 2x2x2" in plan.in_words()
    assert plan.low_resolution_axis == 2
    assert plan.rotation_degrees[:2] == (0, 0)
    assert plan.architecture.kernels[0] == (3, 3, 1)
    assert len(set(plan.architecture.kernels)) == 2  # thick where the others have caught up


def test_fields_of_view_that_lie_both_ways_are_noticed_and_fit_either_way():
    shapes = [(108, 128, 9)] * 6 + [(128, 108, 8)] * 3
    plan = _plan(shapes, [(3, 3, 18)] * 9)
    assert plan.turn_plane == (0, 1)
    assert min(plan.patch_size[:2]) >= 128
    assert "turned there by up to 45 degrees" in plan.in_words()
    upright = _plan(shapes[:6], [(3, 3, 18)] * 6)
    assert upright.turn_plane is None
    assert plan.rotation_degrees[2] > upright.rotation_degrees[2]


@pytest.mark.parametrize(
    "shape", [(3, 3, 3), (1, 1, 1), (200, 180, 1), (1, 50, 1), (2, 64, 64), (6, 150, 150)]
)
def test_tiny_and_flat_volumes_get_a_patch_the_network_can_halve(shape):
    plan = _plan([shape], [(1, 1, 1)])
    assert all(
        p % s == 0 for p, s in zip(plan.patch_size, plan.architecture.total_stride, strict=True)
    )
    assert all(p >= s for p, s in zip(plan.patch_size, shape, strict=True))
    assert len(plan.architecture.strides) >= 1


@pytest.mark.parametrize("on_gpu", [False, True])
@pytest.mark.parametrize("shape", [(8, 8, 3), (5, 5, 5), (16, 16, 3), (32, 32, 3), (40, 40, 1)])
def test_every_volume_gets_a_network_that_can_be_built(shape, on_gpu):
    plan = _plan([shape], [(1, 1, 5)], on_gpu=on_gpu)
    network = build_segmenter(plan.architecture, class_count=2).eval()
    with torch.no_grad():
        assert network(torch.zeros(1, 1, *plan.patch_size)).shape[2:] == plan.patch_size


def test_a_big_volume_is_cut_to_the_memory_budget():
    small = _plan([(512, 512, 300)], [(0.7, 0.7, 1)], memory_gb=1.0)
    large = _plan([(512, 512, 300)], [(0.7, 0.7, 1)], memory_gb=40.0, on_gpu=True)
    assert np.prod(small.patch_size) < 600_000
    assert np.prod(large.patch_size) > np.prod(small.patch_size)


def test_spacing_is_the_median_and_finer_along_a_low_resolution_axis():
    spacings = [(1, 1, 6)] * 8 + [(1, 1, 4)] * 2 + [(1, 1, 12)]
    plan = _plan([(60, 60, 20)] * 11, spacings)
    assert plan.spacing_mm[:2] == (1, 1)
    assert plan.spacing_mm[2] == pytest.approx(np.percentile([s[2] for s in spacings], 10))


def test_hounsfield_units_are_scaled_by_the_set_and_other_images_by_themselves():
    rng = np.random.default_rng(0)
    ct = np.concatenate([np.full(300, -1000), rng.normal(40, 60, 700)]).astype(np.float32)
    assert plan_normalisation(ct).kind == "ct"
    assert plan_normalisation(rng.normal(0, 1, 1000).astype(np.float32)).kind == "zscore"
    assert plan_normalisation(rng.uniform(0, 4095, 1000).astype(np.float32)).kind == "zscore"


def test_normalised_images_have_no_scale_of_their_own():
    image = np.random.default_rng(0).normal(3000, 500, (9, 9, 9)).astype(np.float32)
    scaled = plan_normalisation(image.ravel()).apply(image)
    again = plan_normalisation(image.ravel()).apply(image * 7 + 11)
    assert abs(scaled.mean()) < 0.05
    assert 0.8 < scaled.std() < 1.2
    assert np.allclose(scaled, again, atol=1e-4)


def test_a_plan_survives_a_trip_through_json():
    plan = _plan([(216, 256, 10)] * 6 + [(256, 216, 9)] * 3, [(1.5, 1.5, 9)] * 9)
    assert Plan.from_json(json.loads(json.dumps(plan.to_json()))) == plan


def test_a_volume_too_large_for_the_memory_is_planned_coarser_and_it_is_said():
    shapes, spacings = [(512, 512, 600)], [(0.8, 0.8, 1.0)]
    plan = _plan(shapes, spacings, memory_gb=2.0, class_count=4)
    assert plan.coarser > CPU_COARSER
    assert plan.spacing_mm[0] == pytest.approx(0.8 * plan.coarser)
    assert plan.spacing_mm[2] == pytest.approx(1.0 * plan.coarser)
    assert np.prod(plan.median_shape, dtype=float) * 4 * 8 < 2e9 / 3
    assert "coarser, for the memory" in plan.in_words()
    thick = _plan([(3000, 3000, 60)], [(0.3, 0.3, 5.0)], memory_gb=2.0)
    assert thick.spacing_mm[2] == 5.0
    assert thick.spacing_mm[0] == pytest.approx(0.3 * thick.coarser)
    assert thick.coarser > CPU_COARSER


def test_on_a_cpu_large_volumes_are_planned_coarser_and_on_a_gpu_they_are_not():
    shapes, spacings = [(216, 256, 10)] * 5, [(1.5, 1.5, 9)] * 5
    plan = _plan(shapes, spacings)
    assert plan.spacing_mm[0] == plan.spacing_mm[1] == pytest.approx(1.5 * plan.coarser)
    assert 1 < plan.coarser <= CPU_COARSER
    assert plan.spacing_mm[2] == 9
    assert plan.batch_size >= 2
    assert "coarser, since a CPU trains" in plan.in_words()
    assert _plan(shapes, spacings, on_gpu=True).coarser == 1
    assert _plan([(35, 51, 35)], [(1, 1, 1)]).coarser == 1


def test_a_plan_of_an_older_version_is_read():
    plan = _plan([(35, 51, 35)], [(1, 1, 1)])
    stored = json.loads(json.dumps(plan.to_json()))
    del stored["coarser"], stored["coarser_for"]
    assert Plan.from_json(stored) == plan
