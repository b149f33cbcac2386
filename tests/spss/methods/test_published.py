"""The published methods, each for one step and for a few, on a tiny network."""

from contextlib import nullcontext

import pytest
import torch

from spss.methods.batch import Batch
from spss.methods.method import Method, StepContext
from spss.methods.pln import Pln
from spss.methods.spss_reference import SpssReference, SpssReferenceConfig, _used_as_released
from spss.networks import Architecture, build_segmenter
from spss.types import UNDECIDED

CPU = torch.device("cpu")
SHAPE = (16, 8, 8)


def four_volumes(classes: int = 3) -> Batch:
    """Two labelled volumes (bright bar, plane 4 annotated, exact propagation), two without."""
    generator = torch.Generator().manual_seed(0)
    anatomy = torch.zeros(SHAPE).long()
    anatomy[:, 2:6, 2:6] = 1
    anatomy[8:, 2:6, 2:6] = classes - 1
    truth = torch.full((4, *SHAPE), UNDECIDED)
    truth[:2, 4], truth[:2, 12] = anatomy[4], anatomy[12]
    image = anatomy.float() + 0.1 * torch.randn(4, 1, *SHAPE, generator=generator)
    soft = torch.nn.functional.one_hot(anatomy, classes).movedim(-1, 0).float()
    labelled = torch.tensor([1.0, 1.0, 0.0, 0.0]).reshape(4, 1, 1, 1)
    steps = torch.minimum(
        (torch.arange(16).float() - 4).abs(), (torch.arange(16).float() - 12).abs()
    )
    distance = steps[:, None, None].expand(4, *SHAPE).clone()
    distance[2:] = torch.inf
    return Batch(
        names=("a", "b", "c", "d"),
        image=image,
        truth=truth,
        valid=torch.ones(4, *SHAPE, dtype=torch.bool),
        pseudo_label=soft[None] * labelled[:, None],
        reliability=labelled.expand(4, *SHAPE).clone(),
        distance=distance,
        spacing_mm=(1.0, 1.0, 1.0),
    )


def context_for(method: Method, fraction: float, seed: int = 0) -> StepContext:
    architecture = Architecture("unet", (4, 8, 8), ((2, 2, 2),) * 2, ((3, 3, 3),) * 3, 1)
    student, teacher = (
        build_segmenter(
            architecture,
            class_count=method.class_count,
            embedding_channels=method.embedding_channels,
            seed=seed,
        )
        for _ in range(2)
    )
    return StepContext(
        student=student,
        teacher=teacher,
        fraction=fraction,
        iteration=round(fraction * 100),
        generator=torch.Generator().manual_seed(seed),
        autocast=nullcontext,
    )


def reference(**switches: object) -> SpssReference:
    return SpssReference(SpssReferenceConfig(**switches), class_count=3, device=CPU)  # type: ignore[arg-type]


FIXED = {
    "a1_integer_weights": False,
    "a2_double_softmax": False,
    "a3_misaligned_mask": False,
    "a4_few_unlabelled": False,
    "a5_self_mix": False,
    "a6_class_blind": False,
}


def step_loss(method: Method, fraction: float = 0.9) -> float:
    return float(
        method.training_step(four_volumes(), context_for(method, fraction))["loss"].detach()
    )


@pytest.mark.parametrize("make", [lambda: Pln(class_count=3, device=CPU), reference])
def test_a_few_steps_lower_the_loss_and_reach_every_parameter(make) -> None:
    method = make()
    context = context_for(method, 0.9)
    optimiser = torch.optim.AdamW(context.student.parameters(), lr=1e-2)
    losses = []
    for _ in range(15):
        loss = method.training_step(four_volumes(), context)["loss"]
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0]
    assert all(p.grad is not None for p in context.student.parameters())
    assert all(p.grad is None for p in context.teacher.parameters())


@pytest.mark.parametrize("defect", sorted(set(FIXED) - {"a4_few_unlabelled"}))
def test_each_switch_changes_what_is_learned(defect: str) -> None:
    fixed = step_loss(reference(**FIXED))
    assert step_loss(reference(**FIXED)) == fixed
    assert step_loss(reference(**{**FIXED, defect: True})) != fixed


def test_a4_uses_the_same_quarter_of_the_unlabelled_volumes_for_ever() -> None:
    base = four_volumes().select(torch.tensor([False, False, True, False]))
    names = [f"volume{i}" for i in range(400)]
    used = [bool(_used_as_released(Batch(**{**vars(base), "names": (name,)}))) for name in names]
    assert 0.2 < sum(used) / len(used) < 0.3
    assert _used_as_released(four_volumes())[:2].all()


def test_selection_grows_with_time_and_state_survives_a_restart() -> None:
    method = reference(**FIXED)
    shares = []
    for fraction in (0.2, 0.5, 0.9):
        method.previous_loss = 0.5
        numbers = method.training_step(four_volumes(), context_for(method, fraction))
        shares.append(float(numbers["selected"]))
    assert shares == sorted(shares)
    assert shares[0] < 0.05 < 0.5 < shares[-1]
    again = reference(**FIXED)
    again.load_state_dict(method.state_dict())
    assert again.previous_loss == method.previous_loss != 1.0


def test_class_blind_selection_is_capped_at_a_quarter_of_a_batch_of_four() -> None:
    method = reference(**{**FIXED, "a6_class_blind": True})
    numbers = method.training_step(four_volumes(), context_for(method, 1.0))
    assert float(numbers["selected"]) <= 0.25


def test_unlabelled_volumes_alone_are_no_error() -> None:
    for method in (Pln(class_count=3, device=CPU), reference(**FIXED)):
        batch = four_volumes().select(torch.tensor([False, False, True, True]))
        loss = method.training_step(batch, context_for(method, 0.5))["loss"]
        assert torch.isfinite(loss)


def test_the_registration_learns_half_before_and_half_after_a_step() -> None:
    method, context = reference(**FIXED, registration_steps=4), context_for(reference(), 0.9)
    assert method.feedback is not None
    steps = lambda: {int(s["step"]) for s in method.feedback.optimiser.state.values()}  # noqa: E731
    batch = four_volumes()
    method.training_step(batch, context)
    assert steps() == {2}
    assert method.after_step(batch, context)["registration"] > 0
    assert steps() == {4}
    assert reference(**FIXED).after_step(batch, context) == {}


def test_a_pooled_contrast_has_fewer_voxels_and_another_value() -> None:
    assert step_loss(reference(**FIXED, contrast_pooling=2)) != step_loss(reference(**FIXED))


def test_dense_contrast_costs_more_and_learns_the_same() -> None:
    # five negatives: of more there are too few here, and the dense form then takes wrong ones
    ours, dense = (
        reference(**FIXED, dense_contrast=switch, negatives=5) for switch in (False, True)
    )
    assert step_loss(ours) == pytest.approx(step_loss(dense), rel=1e-4)
