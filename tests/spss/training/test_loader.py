import pytest
import torch

from spss.training import make_plan
from spss.training.case import PreparedCase
from spss.training.fingerprint import Fingerprint
from spss.training.loader import BatchLoader
from spss.training.patches import PatchCutter
from spss.types import UNDECIDED


def _case(name, shape, plane=None, with_soft=True):
    image = torch.randn(shape)
    truth = torch.full(shape, UNDECIDED, dtype=torch.uint8)
    soft = None
    if plane is not None:
        truth[plane] = 0
        truth[plane, : shape[1] // 4] = 1
        if with_soft:
            soft = torch.full((4, *shape), 0.5, dtype=torch.float16)
    return PreparedCase(name, image, truth, soft, torch.nonzero(truth != UNDECIDED))


def _loader(cases, patch, composition=(2, 1), seed=0, **processes):
    import numpy as np

    fingerprint = Fingerprint(
        np.asarray([patch]), np.ones((1, 3)), np.linspace(0, 1, 50, dtype=np.float32), {}
    )
    plan = make_plan(fingerprint, memory_gb=4.0)
    return BatchLoader(
        cases,
        PatchCutter(plan, 2, torch.device("cpu")),
        composition=lambda: composition,
        seed=seed,
        **processes,
    )


@pytest.mark.parametrize("shape", [(40, 36, 30), (12, 9, 16), (16, 16, 16)])
def test_every_labelled_patch_holds_annotated_voxels(shape):
    cases = [_case("a", shape, 0), _case("b", shape, shape[0] - 1), _case("c", shape)]
    loader = _loader(cases, (16, 16, 16))
    for _ in range(20):
        batch = loader.next_batch()
        assert batch.labelled.tolist() == [True, True, False]
        assert batch.names[2] == "c"


def test_padding_counts_for_nothing():
    loader = _loader([_case("a", (6, 7, 8), 3)], (16, 16, 16), composition=(2, 0))
    for _ in range(5):
        batch = loader.next_batch()
        padding = ~batch.valid
        assert padding.any()
        assert (batch.truth[padding] == UNDECIDED).all()
        assert (batch.reliability[padding] == 0).all()
        assert (batch.image[:, 0][padding] == 0).all()


def test_annotated_voxels_carry_the_truth_in_the_soft_label():
    batch = _loader([_case("a", (16, 16, 16), 3)], (16, 16, 16), composition=(3, 0)).next_batch()
    known = batch.annotated
    assert (batch.reliability[known] == 1).all()
    assert (batch.distance[known] == 0).all()
    assert torch.equal(batch.pseudo_label[:, 1][known], (batch.truth[known] == 1).float())
    assert torch.allclose(batch.pseudo_label.sum(1)[batch.valid], torch.tensor(1.0), atol=1e-2)


def test_a_volume_without_a_soft_label_has_no_reliability_outside_its_annotation():
    cases = [_case("a", (16, 16, 16), 3, with_soft=False), _case("b", (16, 16, 16))]
    batch = _loader(cases, (16, 16, 16), composition=(1, 1)).next_batch()
    assert (batch.reliability[~batch.annotated] == 0).all()
    assert torch.isinf(batch.distance[1]).all()


def test_all_volumes_come_before_any_comes_again():
    cases = [_case(str(index), (16, 16, 16), index) for index in range(5)]
    loader = _loader(cases, (16, 16, 16), composition=(5, 0))
    assert sorted(loader.next_batch().names) == ["0", "1", "2", "3", "4"]


def test_a_restored_loader_goes_on_with_the_same_batches():
    cases = [_case(str(index), (16, 16, 16), index) for index in range(5)] + [
        _case("u", (16, 16, 16))
    ]
    loader = _loader(cases, (16, 16, 16))
    loader.next_batch()
    state = loader.state_dict()
    expected = loader.next_batch()
    other = _loader(cases, (16, 16, 16), seed=99)
    other.load_state_dict(state)
    found = other.next_batch()
    assert found.names == expected.names
    assert found.passes == expected.passes == 2 / 5
    assert torch.equal(found.image, expected.image)


def test_seeds_differ():
    cases = [_case(str(index), (16, 16, 16), index) for index in range(5)]
    first, second = (_loader(cases, (16, 16, 16), seed=seed).next_batch() for seed in (0, 1))
    assert not torch.equal(first.image, second.image)


def test_without_unlabelled_volumes_labelled_ones_take_their_place():
    loader = _loader([_case("a", (8, 8, 8), 2), _case("b", (8, 8, 8), 3)], (8, 8, 8))
    batch = loader.next_batch()
    assert len(batch) == 3
    assert batch.labelled.all()


def test_two_processes_see_together_what_one_sees_alone():
    cases = [_case(str(index), (16, 16, 16), index) for index in range(5)]
    one = _loader(cases, (16, 16, 16), composition=(4, 0))
    two = [
        _loader(cases, (16, 16, 16), composition=(2, 0), rank=rank, processes=2) for rank in (0, 1)
    ]
    for passes in (0, 4 / 5):
        alone = one.next_batch()
        assert alone.passes == passes
        for rank, loader in enumerate(two):
            share = loader.next_batch()
            assert share.names == alone.names[rank::2]
            assert torch.equal(share.image, alone.image[rank::2])
            assert share.passes == passes
