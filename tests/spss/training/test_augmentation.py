import pytest
import torch

from spss.training.augmentation import (
    AugmentationConfig,
    change_intensity,
    random_bend,
    random_matrix,
)
from spss.training.placement import place_patch, sample


def _generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_image_and_label_stay_aligned_under_every_change():
    volume = torch.zeros(1, 24, 24, 24)
    volume[:, 8:16, 6:18, 10:14] = 1
    generator = _generator()
    config = AugmentationConfig()
    for _ in range(5):
        placement = place_patch(
            torch.full((3,), 11.5),
            (24, 24, 24),
            matrix=random_matrix(
                config,
                rotation_degrees=(15, 15, 15),
                spacing_mm=(1, 1, 1),
                generator=generator,
            ),
            bend=random_bend(config, (24, 24, 24), spacing_mm=(1, 1, 1), generator=generator),
        )
        image = sample(volume, placement) > 0.5
        label = sample(volume.to(torch.uint8), placement, nearest=True) > 0.5
        dice = 2 * (image & label).sum() / (image.sum() + label.sum())
        assert dice > 0.93


def test_rotation_keeps_millimetres_in_an_anisotropic_volume():
    matrix = random_matrix(
        AugmentationConfig(scale=0),
        rotation_degrees=(40, 0, 0),
        spacing_mm=(1, 1, 8),
        generator=_generator(1),
    )
    in_mm = torch.diag(torch.tensor([1.0, 1.0, 8.0])) @ matrix
    in_mm = in_mm @ torch.diag(torch.tensor([1.0, 1.0, 1 / 8]))
    assert torch.allclose(in_mm @ in_mm.T, torch.eye(3), atol=1e-5)


def test_no_patient_is_mirrored():
    generator = _generator(2)
    for _ in range(50):
        matrix = random_matrix(
            AugmentationConfig(),
            rotation_degrees=(0, 0, 90),
            spacing_mm=(1, 1, 8),
            generator=generator,
        )
        assert torch.linalg.det(matrix) > 0


def test_thin_axes_are_not_bent():
    bend = random_bend(
        AugmentationConfig(), (64, 64, 6), spacing_mm=(1, 1, 9), generator=_generator()
    )
    assert bend[..., 2].abs().max() == 0
    assert bend[..., 0].abs().max() > 0


def test_the_same_generator_gives_the_same_patch():
    image = torch.randn(10, 10, 10)
    config = AugmentationConfig(intensity=1.0)
    first, second = (
        change_intensity(image, config, _generator(5), _generator(6)) for _ in range(2)
    )
    other = change_intensity(image, config, _generator(7), _generator(6))
    assert torch.equal(first, second)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("shape", [(1, 8, 8), (2, 2, 2), (16, 1, 3)])
def test_intensity_changes_accept_any_shape(shape):
    config = AugmentationConfig(intensity=2.0)
    image = change_intensity(torch.randn(shape), config, _generator(), _generator())
    assert image.shape == shape
    assert torch.isfinite(image).all()
