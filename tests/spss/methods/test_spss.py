from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace

import pytest
import torch

from spss.methods.batch import Batch
from spss.methods.method import StepContext
from spss.methods.spss import Spss
from spss.methods.spss_config import SpssConfig
from spss.methods.trust import propagation_trust
from spss.networks import Architecture, build_segmenter
from spss.types import UNDECIDED

CPU = torch.device("cpu")
SHAPE = (16, 8, 8)

Volumes = Callable[..., Batch]


def context_at(fraction: float) -> StepContext:
    architecture = Architecture("unet", (4, 8, 8), ((2, 2, 2),) * 2, ((3, 3, 3),) * 3, 1)
    student, teacher = (
        build_segmenter(architecture, class_count=3, embedding_channels=32, seed=seed)
        for seed in (0, 1)
    )
    return StepContext(
        student=student,
        teacher=teacher,
        fraction=fraction,
        iteration=0,
        generator=torch.Generator().manual_seed(0),
        autocast=nullcontext,
    )


def method(**options: float | bool) -> Spss:
    return Spss(SpssConfig(**options), class_count=3, device=CPU)  # type: ignore[arg-type]


def test_teacher_is_not_asked_before_its_time_and_needs_no_unlabelled_volumes(
    volumes: Volumes,
) -> None:
    spss, context = method(ramp_start=0.3), context_at(0.1)
    object.__setattr__(context, "teach", lambda image: pytest.fail("asked"))
    spss.training_step(volumes(), context)
    assert spss.composition(0.1, 4) == (4, 0)
    assert spss.composition(0.5, 4)[1] > 0
    assert method(consistency_weight=0.0).composition(0.9, 4) == (4, 0)


def test_teacher_teaches_from_its_age_where_half_of_the_training_is_later(
    volumes: Volumes,
) -> None:
    spss = method(learned_passes=20, learned_steps=200, start_age=0.6)
    young, old = (replace(volumes(), passes=passes) for passes in (11.0, 12.0))
    before, after, later = (
        replace(context_at(fraction), iteration=120) for fraction in (0.1, 0.12, 0.2)
    )
    assert "consistency" not in spss.training_step(young, before)
    assert spss.composition(0.1, 4) == (4, 0)
    weights = []
    for context in (after, later):
        step = spss.training_step(old, context)
        assert spss.composition(context.fraction, 4)[1] > 0
        weights.append(float(step["consistency_weight"]))
    assert weights[0] < 0.01 * weights[1]
    resumed = method(learned_passes=20, learned_steps=200, start_age=0.6)
    resumed.load_state_dict(spss.state_dict())
    again = resumed.training_step(young, later)
    assert float(again["consistency_weight"]) == pytest.approx(weights[1])


def test_teacher_no_longer_follows_its_student_once_the_labels_are_learned(
    volumes: Volumes,
) -> None:
    spss = method(learned_passes=20, learned_steps=200, noise=0.0)
    context = replace(context_at(0.9), iteration=200)
    following, settled = (replace(volumes(), passes=passes) for passes in (19.0, 20.0))

    def consistency(of: Spss, batch: Batch) -> float:
        return float(of.training_step(batch, context)["consistency"])

    def move_teacher() -> None:
        with torch.no_grad():
            for parameter in context.teacher.parameters():
                parameter += 0.1

    first = consistency(spss, following)
    move_teacher()
    assert consistency(spss, following) != first
    settled_at = consistency(spss, settled)
    move_teacher()
    assert consistency(spss, settled) == settled_at
    resumed = method(learned_passes=20, learned_steps=200, noise=0.0)
    resumed.load_state_dict(spss.state_dict())
    assert consistency(resumed, settled) == settled_at


def test_the_teacher_never_contradicts_an_annotated_voxel(volumes: Volumes) -> None:
    """Where trust is 1 the teacher's weight is 0, whatever it says there."""
    losses = []
    for opinion in (0.0, 50.0):
        context = context_at(1.0)

        def teach(image: torch.Tensor, opinion: float = opinion) -> torch.Tensor:
            logits = torch.zeros(len(image), 3, *SHAPE)
            logits[:, 1] = 5.0
            logits[0, 2, 4] = opinion  # on the annotated plane only
            return logits.softmax(1)

        object.__setattr__(context, "teach", teach)
        step = method(selection=False, noise=0.0).training_step(volumes(), context)
        losses.append(float(step["loss"].detach()))
    assert losses[0] == losses[1]


def slowed(spss: Spss, *, falls_to: float) -> Spss:
    """As if it had trained until its loss fell to a share of what it was half the time ago."""
    for index in range(60):
        spss.slowdown.add(index / 80, 1.0 if index < 30 else falls_to)
    return spss


@pytest.mark.parametrize(("falls_to", "heard"), [(0.9, True), (0.5, False)])
def test_teacher_contradicts_labels_only_if_learning_had_slowed_down(
    volumes: Volumes, falls_to: float, heard: bool
) -> None:
    """Student and teacher are sure of background, so that the organ is contradicted."""
    batch, losses = volumes(labelled=1, unlabelled=0), []
    sure = torch.tensor([9.0, 0.0, 0.0]).reshape(1, 3, 1, 1, 1).expand(1, 3, *SHAPE)
    for power in (0.0, 2.0):
        context = certain_context(1.0)
        object.__setattr__(context, "predict", lambda image: sure)
        spss = slowed(method(agreement_power=power, noise=0.0), falls_to=falls_to)
        losses.append(float(spss.training_step(batch, context)["supervised"]))
    assert losses[1] < losses[0] if heard else losses[1] == losses[0]


def test_the_student_contradicts_no_label(volumes: Volumes) -> None:
    losses = []
    for power in (0.0, 2.0):
        spss = slowed(method(agreement_power=power), falls_to=0.9)
        losses.append(float(spss.training_step(volumes(), context_at(0.4))["supervised"]))
    assert losses[0] == losses[1]


def test_how_much_learning_slows_down_is_noted_until_the_teacher_speaks(volumes: Volumes) -> None:
    spss = method(learned_passes=80, learned_steps=1)
    for passes in range(20):
        batch = replace(volumes(), passes=float(passes))
        spss.training_step(batch, replace(context_at(0.1), iteration=100))
    noted = spss.slowdown.value
    assert noted == pytest.approx(1.0, abs=0.2)  # this student never learns
    step = spss.training_step(
        replace(volumes(), passes=60.0), replace(context_at(0.2), iteration=100)
    )
    assert float(step["slowdown"]) == pytest.approx(noted)
    resumed = method()
    resumed.load_state_dict(spss.state_dict())
    assert resumed.slowdown.value == noted


def certain_context(fraction: float) -> StepContext:
    """With a teacher that is sure of background everywhere."""
    context = context_at(fraction)
    certain = torch.tensor([1.0, 0.0, 0.0]).reshape(1, 3, 1, 1, 1)

    def teach(image: torch.Tensor) -> torch.Tensor:
        return certain.expand(len(image), 3, *SHAPE)

    object.__setattr__(context, "teach", teach)
    return context


def test_teacher_is_as_loud_as_it_has_more_to_say_than_propagation(volumes: Volumes) -> None:
    spss = method(teacher_trust=0.1, consistency_weight=0.8)
    loudness = []
    for batch in (volumes(2, 0), volumes(1, 1), volumes(1, 3)):
        trust = propagation_trust(batch, 1.0, spss.config)
        expected = 0.1 * float((1 - trust.clamp_max(1)).sum() / trust.sum())
        step = spss.training_step(batch, certain_context(1.0))
        loudness.append(float(step["consistency_weight"]))
        assert loudness[-1] == pytest.approx(0.8 * expected, rel=1e-4)
    assert loudness[0] < loudness[1] < loudness[2]
    unbounded = method(teacher_trust=100.0).training_step(volumes(1, 1), certain_context(1.0))
    assert float(unbounded["consistency_weight"]) == pytest.approx(1.0)


def test_selected_share_grows_with_age_to_everything(volumes: Volumes) -> None:
    spss, shares = method(youngest=0.2, ramp_start=0.3), []
    for fraction in (0.31, 0.6, 1.0):
        shares.append(float(spss.training_step(volumes(), context_at(fraction))["selected"]))
    assert shares[0] == pytest.approx(0.2, abs=0.03)
    assert shares[1] == pytest.approx(0.2 + 0.8 * 3 / 7, abs=0.03)
    assert shares[2] == 1.0


def test_class_blind_selection_takes_as_many_voxels_but_other_ones() -> None:
    teacher = torch.zeros(2, 3, *SHAPE)
    teacher[:, 0] = 5.0  # background is certain everywhere ...
    teacher[:, 1, :, 2:6, 2:6] = 5.5  # ... and the organ is not
    valid = torch.ones(2, *SHAPE, dtype=torch.bool)
    valid[1, 8:] = False
    organ = teacher.argmax(1) == 1
    wise, blind = (
        method(class_blind=switch, youngest=0.5)._select(teacher.softmax(1), valid, 0.3)
        for switch in (False, True)
    )
    assert abs(int(wise.sum()) - int(blind.sum())) <= 4
    assert wise[organ & valid].float().mean() == pytest.approx(0.5, abs=0.02)
    assert not (blind & organ).any()
    assert not (blind & ~valid).any()


def test_mixing_moves_the_truth_with_its_voxel(volumes: Volumes) -> None:
    batch, context = volumes(labelled=1, unlabelled=1), context_at(0.9)
    spss = method(mix_share=1.0, truth_weight=1.0)
    trust = propagation_trust(batch, 0.9, spss.config)
    targets = spss._targets(batch, trust, context.teach(batch.image), context)
    assert not torch.equal(targets.image, batch.image)
    torch.testing.assert_close(targets.trust.sum(), trust.sum())
    certain = targets.trust[:, 0] == 1.0  # the annotated plane, now in two volumes
    assert certain[0].any()
    assert certain[1].any()
    wanted = batch.truth[0, 4].expand(2, 16, 8, 8)[certain]
    assert torch.equal(targets.pseudo_label.argmax(1)[certain], wanted)


@pytest.mark.parametrize("options", [{}, {"contrast_weight": 0.1}, {"mix_share": 1.0}])
def test_a_few_steps_lower_the_loss(volumes: Volumes, options: dict[str, float]) -> None:
    spss, context = method(**options), context_at(0.8)
    optimiser = torch.optim.AdamW(context.student.parameters(), lr=1e-2)
    losses = []
    for _ in range(15):
        step = spss.training_step(volumes(2, 2), context)
        optimiser.zero_grad()
        step["loss"].backward()
        optimiser.step()
        losses.append(float(step["supervised"]))
    assert losses[-1] < 0.8 * losses[0]
    projector = next(context.student.projector.parameters())
    assert (projector.grad is not None) == ("contrast_weight" in options)


def test_one_annotated_voxel_and_one_volume_are_enough(volumes: Volumes) -> None:
    batch = volumes(labelled=1, unlabelled=0)
    silent = replace(
        batch,
        truth=torch.full_like(batch.truth, UNDECIDED),
        reliability=torch.zeros_like(batch.reliability),
        distance=torch.full_like(batch.distance, torch.inf),
    )
    silent.truth[0, 4, 3, 3] = 1
    silent.reliability[0, 4, 3, 3] = 1.0
    silent.distance[0, 4, 3, 3] = 0.0
    for fraction in (0.0, 0.5, 1.0):
        loss = method(mix_share=1.0, contrast_weight=0.1).training_step(
            silent, context_at(fraction)
        )["loss"]
        assert torch.isfinite(loss)
