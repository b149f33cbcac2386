from __future__ import annotations

import nibabel as nib
import numpy as np
import pytest
import torch

from spss.propagation.fields import warp
from spss.propagation.learned import LearnedPropagator
from spss.propagation.neighbouring_slices import VolumeFiles
from spss.propagation.registration_network import RegistrationConfig, RegistrationNetwork
from spss.propagation.registration_training import train_registration
from spss.propagation.stack import Stack


def _drifting_disc(seed, slices=10, size=32):
    """A disc that moves one pixel a slice, on a textured ground."""
    rng = np.random.default_rng(seed)
    row, column = np.mgrid[:size, :size]
    centre = rng.uniform(10, 13)
    volume = [
        60.0 * ((row - centre - index) ** 2 + (column - 16) ** 2 < 49) for index in range(slices)
    ]
    return (np.stack(volume) + rng.normal(0, 1, (slices, size, size))).astype(np.float32)


def _error(network, volume):
    """Mean square of what neighbouring slices differ by, once the one is moved onto the other."""
    stack = Stack((volume - volume.min()) / np.ptp(volume), 1.0, (1.0, 1.0))
    pairs = [(index + 1, index) for index in range(len(volume) - 1)]
    fields = LearnedPropagator(network=network)._register(network, stack, pairs)
    moved = [warp(stack.slices[at], each) for each, (_, at) in zip(fields, pairs, strict=True)]
    return float(np.mean((np.stack(moved) - stack.slices[1:]) ** 2)), fields


@pytest.fixture(scope="module")
def trained():
    """A diffeomorphic network trained on two volumes."""
    config = RegistrationConfig(diffeomorphic=True, learning_rate=4e-3, batch=8)
    volumes = [_drifting_disc(seed) for seed in (1, 2)]
    torch.manual_seed(0)
    return train_registration(volumes, network=RegistrationNetwork(config), axes=(0,), steps=60)


def test_a_network_trained_on_other_volumes_registers_a_new_one(trained):
    volume = _drifting_disc(3)
    untrained, _ = _error(RegistrationNetwork().eval(), volume)
    found, _ = _error(trained, volume)
    assert found < 0.7 * untrained


def test_a_diffeomorphic_field_does_not_fold(trained):
    _, fields = _error(trained, _drifting_disc(3))
    for field in fields:
        along_x = np.gradient(field, axis=1)
        along_y = np.gradient(field, axis=0)
        jacobian = (1 + along_x[..., 0]) * (1 + along_y[..., 1]) - along_x[..., 1] * along_y[..., 0]
        assert jacobian.min() > 0
    assert max(np.abs(field).max() for field in fields) > 0.5


def test_a_saved_network_is_the_same_again(trained, tmp_path):
    trained.save(tmp_path / "registration.pt")
    again = RegistrationNetwork.load(tmp_path / "registration.pt")
    assert again.config == trained.config
    pair = torch.rand(2, 1, 1, 20, 24)
    with torch.inference_mode():
        torch.testing.assert_close(again(*pair), trained(*pair))


def test_volumes_of_a_folder_are_read_when_asked_for(tmp_path):
    paths = []
    for value in range(6):
        paths.append(tmp_path / f"{value}.nii.gz")
        nib.save(nib.Nifti1Image(np.full((2, 2, 2), value, np.float32), np.eye(4)), paths[-1])
    volumes = VolumeFiles(paths)
    assert [float(volumes[index].max()) for index in range(6)] == [0, 1, 2, 3, 4, 5]
    paths[0].unlink()
    assert len(volumes[2:]) == 4
    assert float(volumes[5].max()) == 5  # still in memory
    with pytest.raises(Exception, match=r"0\.nii"):
        volumes[0]
