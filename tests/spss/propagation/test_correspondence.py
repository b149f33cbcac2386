"""Affinities that are learned without labels, on volumes whose disc drifts."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from spss.errors import InputError
from spss.propagation.correspondence import (
    CorrespondencePropagator,
    looks_inside,
    told_by_intensity,
)
from spss.propagation.correspondence_network import (
    CorrespondenceConfig,
    CorrespondenceNetwork,
    affinity_warp,
)
from spss.propagation.correspondence_training import train_correspondence
from spss.propagation.registration_network import RegistrationNetwork
from spss.propagation.stack import DrawnSlice, Stack


def _drifting_disc(seed, slices=8, size=28):
    """A disc that moves one pixel a slice, and where it is: ``(S, H, W)`` twice."""
    rng = np.random.default_rng(seed)
    row, column = np.mgrid[:size, :size]
    centre = rng.uniform(9, 11)
    inside = np.stack(
        [(row - centre - index) ** 2 + (column - 14) ** 2 < 36 for index in range(slices)]
    )
    noise = rng.normal(0, 0.05, inside.shape)
    return (0.8 * inside + noise).astype(np.float32), inside


def _dice(network, seed, **options):
    """Mean over slices of the disc of the first, carried to the last."""
    image, inside = _drifting_disc(seed)
    one_hot = np.stack([~inside[0], inside[0]]).astype(np.float32)
    drawn = DrawnSlice(0, one_hot, 0, len(image) - 1)
    propagator = CorrespondencePropagator(network=network, **options)
    (carried,) = propagator.carry(Stack(image, 1.0, (1.0, 1.0)), (drawn,))
    found = carried.probabilities[1] > 0.5
    overlap = 2 * (found & inside).sum((1, 2)) / (found.sum((1, 2)) + inside.sum((1, 2)))
    return float(overlap[1:].mean())


@pytest.fixture(scope="module")
def trained():
    """A network trained on two volumes."""
    volumes = [_drifting_disc(seed)[0] for seed in (1, 2)]
    torch.manual_seed(0)
    network = CorrespondenceNetwork(CorrespondenceConfig(radius=3, learning_rate=4e-3))
    return train_correspondence(volumes, network=network, axes=(0,), steps=80)


def test_a_network_trained_on_other_volumes_carries_a_new_one(trained):
    torch.manual_seed(0)
    untrained = CorrespondenceNetwork(CorrespondenceConfig(radius=3)).eval()
    assert _dice(trained, 3) > 0.9
    assert _dice(trained, 3) > _dice(untrained, 3) + 0.05


def test_slices_that_are_alike_are_carried_as_they_are():
    """A description that tells every pixel apart finds each where it is."""
    maps = torch.rand(2, 3, 6, 6)
    unique = 50 * torch.eye(36).reshape(1, 36, 6, 6).expand(2, -1, -1, -1)
    torch.testing.assert_close(affinity_warp(unique, unique, maps, 2), maps)


def test_what_is_carried_does_not_blur():
    """A network to which all pixels are alike averages over its window, on every slice anew."""
    network = CorrespondenceNetwork(CorrespondenceConfig(radius=3)).eval()
    for parameter in network.parameters():
        torch.nn.init.zeros_(parameter)
    _, inside = _drifting_disc(4)
    one_hot = np.stack([~inside[0], inside[0]]).astype(np.float32)
    propagator = CorrespondencePropagator(network=network, verify=False)
    stack = Stack(np.zeros(inside.shape, np.float32), 1.0, (1.0, 1.0))
    (carried,) = propagator.carry(stack, (DrawnSlice(0, one_hot, 0, 4),))
    assert carried.probabilities[1, 4].max() == pytest.approx(1, abs=1e-5)
    assert not carried.probabilities[1, 5:].any()


def test_intensity_verifies_only_what_it_tells_on_the_drawn_plane():
    image, inside = (torch.from_numpy(each[0]) for each in _drifting_disc(5))
    one_hot = torch.stack([~inside, inside]).float()
    assert told_by_intensity(one_hot, image, 5) == (1,)
    assert told_by_intensity(one_hot, torch.rand_like(image), 5) == ()


def test_pixels_that_look_like_the_surroundings_are_seen():
    image, inside = (torch.from_numpy(each) for each in _drifting_disc(6))
    last = looks_inside(image[-1], inside[0], image[0], 5)
    assert (last == inside[-1]).float().mean() > 0.98
    assert looks_inside(image[1], torch.zeros_like(inside[0]), image[0], 5).all()


def test_a_carried_structure_ends_where_intensity_says_so(trained):
    image, inside = _drifting_disc(7)
    image[4:] = image[4:][:, :1, :1]  # only ground from the fourth slice on
    one_hot = np.stack([~inside[0], inside[0]]).astype(np.float32)
    drawn = (DrawnSlice(0, one_hot, 0, len(image) - 1),)
    stack = Stack(image, 1.0, (1.0, 1.0))
    with_it, without = (
        CorrespondencePropagator(network=trained, verify=verify).carry(stack, drawn)[0]
        for verify in (True, False)
    )
    assert with_it.probabilities[1, 5:].sum() < 0.6 * without.probabilities[1, 5:].sum()
    np.testing.assert_allclose(with_it.probabilities.sum(0), 1, atol=1e-5)


def test_a_saved_network_is_the_same_again(trained, tmp_path):
    trained.save(tmp_path / "correspondence.pt")
    again = CorrespondenceNetwork.load(tmp_path / "correspondence.pt")
    assert again.config == trained.config
    slices = torch.rand(2, 1, 12, 14)
    with torch.inference_mode():
        torch.testing.assert_close(again(slices), trained(slices))


def test_a_registration_network_is_no_correspondence_network(trained, tmp_path):
    trained.save(tmp_path / "correspondence.pt")
    RegistrationNetwork().save(tmp_path / "registration.pt")
    with pytest.raises(InputError, match=r"registration\.pt does not hold a corr.*it holds a reg"):
        CorrespondenceNetwork.load(tmp_path / "registration.pt")
    with pytest.raises(
        InputError, match=r"correspondence\.pt does not hold a reg.*it holds a corr"
    ):
        RegistrationNetwork.load(tmp_path / "correspondence.pt")
