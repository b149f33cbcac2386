from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from spss.methods.batch import Batch
from spss.methods.spss_config import SpssConfig
from spss.methods.trust import (
    propagation_age,
    propagation_trust,
    self_paced_trust,
)

Volumes = Callable[..., Batch]


def test_trust_is_the_truth_then_falls_with_each_slice_and_faster_with_age(
    volumes: Volumes,
) -> None:
    batch = volumes()
    config = SpssConfig(decay=0.8, truth_share=0.9, truth_weight=3.0)
    for age, base in ((0.0, 0.8), (1.0, 0.8), (2.0, 0.64)):
        trust = propagation_trust(batch, age, config)
        assert torch.equal(trust[0, 4], torch.full((8, 8), 3.0))
        for index, steps in ((5, 1), (3, 1), (9, 5)):
            expected = torch.full((8, 8), 0.9 * base**steps)
            torch.testing.assert_close(trust[0, index], expected)
        assert not trust[1].any()


def test_what_is_seen_of_a_far_slice_is_bounded_however_long_the_training(volumes: Volumes) -> None:
    batch, config = volumes(), SpssConfig(learned_passes=4, learned_steps=8, far_trust=0.0)
    sums = []
    for passes in (40, 400):
        ages = [propagation_age(seen, 10 * seen, config) for seen in range(passes)]
        seen = [float(propagation_trust(batch, age, config)[0, 15].max()) for age in ages]
        sums.append(sum(seen))
    assert sums[1] == pytest.approx(sums[0], rel=1e-3)


def test_age_needs_passes_where_volumes_are_many_and_steps_where_they_are_few() -> None:
    config = SpssConfig(learned_passes=80, learned_steps=900)
    assert propagation_age(40.0, 10_000, config) == 0.5
    assert propagation_age(10_000.0, 450, config) == 0.5
    assert propagation_age(3.0, 5, SpssConfig(learned_passes=0, learned_steps=0)) == 3.0


def test_what_was_drawn_gets_its_share_of_the_trust_however_many_slices_there_are(
    volumes: Volumes,
) -> None:
    thick, config = volumes(), SpssConfig(truth_share=0.4, far_trust=0.0, truth_weight=100.0)
    thin = replace(thick, distance=thick.distance / 10)
    for batch in (thick, thin):
        trust = propagation_trust(batch, 0.0, config)[0]
        assert trust[4].sum() / trust.sum() == pytest.approx(0.4)
    both = replace(thick, truth=thick.truth.clone())
    both.truth[0, 12] = thick.truth[0, 4]  # a second plane: each of the two weighs half as much
    one, two = (propagation_trust(batch, 0.0, config)[0, 4, 0, 0] for batch in (thick, both))
    assert two < 0.6 * one


def test_weight_of_what_was_drawn_has_bounds(volumes: Volumes) -> None:
    batch = volumes()
    for share, expected in ((0.999, 8.0), (1.0, 8.0), (0.001, 1.0)):
        trust = propagation_trust(batch, 0.0, SpssConfig(truth_share=share))
        assert torch.equal(trust[0, 4], torch.full((8, 8), expected))
        assert not trust[1].any()
    alone = replace(batch, reliability=torch.zeros_like(batch.reliability))
    trust = propagation_trust(alone, 0.0, SpssConfig())
    assert torch.equal(trust[0, 4], torch.ones(8, 8))


def test_background_beyond_the_reach_of_the_structure_stays_trusted(volumes: Volumes) -> None:
    batch = volumes()
    pseudo = torch.zeros_like(batch.pseudo_label)
    pseudo[:, 0] = 1
    pseudo[0, :, 3:6, 3:5, 3:5] = torch.tensor([0.0, 1.0, 0.0])[:, None, None, None]
    batch = replace(batch, pseudo_label=pseudo)
    trust = propagation_trust(batch, 1.0, SpssConfig(decay=0.5, far_trust=0.4))
    torch.testing.assert_close(trust[0, 15], torch.full((8, 8), 0.9 * 0.4))
    assert trust[0, 6, 4, 4] == pytest.approx(0.9 * 0.5**2)  # reached: decays like all else
    without = propagation_trust(batch, 1.0, SpssConfig(decay=0.5, far_trust=0.0))
    assert without[0, 15].max() < 0.01


def test_padding_and_silent_propagation_are_not_trusted(volumes: Volumes) -> None:
    batch = volumes()
    batch = replace(batch, reliability=batch.reliability.clone())
    batch.reliability[0, 10:] = 0
    trust = propagation_trust(batch, 0.3, SpssConfig(reliability_power=0.0))
    assert not trust[0, 10:].any()
    assert (trust[0, :10] > 0).all()


def test_what_the_network_contradicts_is_trusted_less_but_never_what_was_drawn(
    volumes: Volumes,
) -> None:
    batch, config = volumes(), SpssConfig(agreement_power=2.0)
    trust = propagation_trust(batch, 0.5, config)
    believed = batch.pseudo_label * 0.95 + 0.05 / 3
    believed[0, :, 10:] = believed[0, :, 10:].roll(1, 0)  # something else from slice 10 on
    believed[0, :, 4] = believed[0, :, 4].roll(1, 0)  # and on the drawn slice
    paced = self_paced_trust(trust, believed, batch, config)
    assert torch.equal(paced[0, :10], trust[0, :10])
    assert (trust[0, 10:] > 0).all()
    assert (paced[0, 10:] < 0.01 * trust[0, 10:]).all()
    assert torch.equal(paced[1], trust[1])
