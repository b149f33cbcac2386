from dataclasses import fields, replace

import pytest
import torch

from spss.errors import InputError
from spss.methods import METHODS, Batch, StepContext, find_method, method_options
from spss.methods.masked import Masked
from spss.methods.mean_teacher import MeanTeacher, MeanTeacherConfig, normalised_entropy
from spss.methods.pseudo import Pseudo, PseudoConfig, pseudo_label_loss
from spss.methods.schedule import late_ramp
from spss.types import UNDECIDED

CPU = torch.device("cpu")
SHAPE = (4, 5, 6)


def _batch(labelled=(True, False)):
    count = len(labelled)
    generator = torch.Generator().manual_seed(0)
    truth = torch.full((count, *SHAPE), UNDECIDED)
    reliability = torch.zeros(count, *SHAPE)
    for row, known in enumerate(labelled):
        if known:
            truth[row, 2] = torch.randint(0, 3, SHAPE[1:], generator=generator)
            reliability[row] = 0.5
            reliability[row, 2] = 1.0
    soft = torch.rand((count, 3, *SHAPE), generator=generator).softmax(1)
    return Batch(
        names=tuple(f"v{row}" for row in range(count)),
        image=torch.randn((count, 1, *SHAPE), generator=generator),
        truth=truth,
        valid=torch.ones((count, *SHAPE), dtype=torch.bool),
        pseudo_label=soft,
        reliability=reliability,
        distance=torch.zeros(count, *SHAPE),
        spacing_mm=(1.0, 1.0, 1.0),
    )


def _context(fraction=0.5):
    from contextlib import nullcontext

    torch.manual_seed(0)
    return StepContext(
        student=torch.nn.Conv3d(1, 3, 1),
        teacher=torch.nn.Conv3d(1, 3, 1),
        fraction=fraction,
        iteration=3,
        generator=torch.Generator().manual_seed(1),
        autocast=nullcontext,
    )


def _gradient(method, batch, context):
    losses = method.training_step(batch, context)
    losses["loss"].backward()
    return losses, context.student.weight.grad


@pytest.mark.parametrize("kind", [Masked, Pseudo, MeanTeacher])
def test_a_step_gives_a_finite_loss_with_a_gradient(kind):
    losses, gradient = _gradient(kind(class_count=3, device=CPU), _batch(), _context(0.8))
    assert torch.isfinite(losses["loss"])
    assert gradient.abs().max() > 0


def test_masked_looks_at_annotated_voxels_only():
    batch = _batch()
    other = replace(
        batch, pseudo_label=batch.pseudo_label.flip(1), reliability=batch.reliability * 0
    )
    method = Masked(class_count=3, device=CPU)
    first, second = (method.training_step(b, _context())["loss"] for b in (batch, other))
    assert torch.equal(first, second)


def test_pseudo_trusts_a_voxel_as_far_as_it_is_reliable():
    batch = _batch(labelled=(True,))
    logits = torch.zeros(1, 3, *SHAPE, requires_grad=True)
    config = PseudoConfig(dice_weight=0.0, truth_weight=1.0)
    pseudo_label_loss(logits, batch, config).backward()
    pull = (batch.pseudo_label - 1 / 3) * batch.reliability / batch.reliability.sum()
    assert torch.allclose(logits.grad, -pull, atol=1e-6)


def test_pseudo_ignores_volumes_without_a_propagated_label():
    batch = _batch()
    changed = batch.pseudo_label.clone()
    changed[1] = changed[1].flip(0)
    method = Pseudo(class_count=3, device=CPU)
    first = method.training_step(batch, _context())["loss"]
    second = method.training_step(replace(batch, pseudo_label=changed), _context())["loss"]
    assert torch.equal(first, second)


def test_consistency_starts_late_and_only_then_asks_for_unlabelled_volumes():
    method = MeanTeacher(class_count=3, device=CPU)
    assert method.composition(0.1, 4)[1] == 0
    assert method.composition(0.9, 4)[1] > 0
    assert "consistency" not in method.training_step(_batch(), _context(0.1))
    late = method.training_step(_batch(), _context(1.0))
    assert late["consistency_weight"] == pytest.approx(MeanTeacherConfig().consistency_weight)


def test_unlabelled_volumes_teach_through_the_teacher():
    method = MeanTeacher(class_count=3, device=CPU)
    batch = _batch(labelled=(False,))
    _, gradient = _gradient(method, batch, _context(1.0))
    assert gradient.abs().max() > 0
    assert _gradient(Pseudo(class_count=3, device=CPU), batch, _context(1.0))[1].abs().max() == 0


def test_padding_teaches_nothing():
    batch = _batch(labelled=(False,))
    batch = replace(batch, valid=torch.zeros_like(batch.valid))
    _, gradient = _gradient(MeanTeacher(class_count=3, device=CPU), batch, _context(1.0))
    assert gradient.abs().max() == 0


def test_entropy_runs_from_sure_to_undecided():
    sure = torch.tensor([1.0, 0.0, 0.0]).reshape(1, 3, 1, 1, 1)
    assert normalised_entropy(sure).item() == pytest.approx(0.0)
    assert normalised_entropy(torch.full((1, 3, 1, 1, 1), 1 / 3)).item() == pytest.approx(1.0)


def test_the_ramp_is_zero_before_its_start_and_one_after_its_end():
    assert late_ramp(0.39, start=0.4, length=0.3) == 0
    assert late_ramp(0.7, start=0.4, length=0.3) == pytest.approx(1)
    values = [late_ramp(0.4 + step / 100, start=0.4, length=0.3) for step in range(31)]
    assert values == sorted(values)


@pytest.mark.parametrize("name", sorted(METHODS))
def test_every_method_tells_its_constants_and_where_they_come_from(name):
    method = find_method(name)
    assert method.name == name
    assert method.summary
    assert set(method_options(name)) == {field.name for field in fields(method.Config)}
    for field in fields(method.Config):
        assert field.metadata.get("help"), f"{name}.{field.name} has no source"


def test_an_unknown_method_names_the_known_ones():
    with pytest.raises(InputError, match="mean_teacher"):
        find_method("magic")


def test_a_batch_can_be_cut_down_to_some_of_its_volumes():
    part = _batch().select(torch.tensor([False, True]))
    assert part.names == ("v1",)
    assert part.image.shape[0] == part.truth.shape[0] == len(part) == 1
    assert not part.labelled.any()


def test_trust_in_a_propagated_voxel_fades_with_the_distance_from_the_drawn_plane():
    near, far = _batch(labelled=(True,)), _batch(labelled=(True,))
    far = replace(far, distance=torch.full_like(far.distance, 3.0))
    config = PseudoConfig(dice_weight=0.0, truth_weight=1.0, distance_decay=0.5)
    pulls = []
    for batch in (near, far):
        logits = torch.zeros(1, 3, *SHAPE, requires_grad=True)
        pseudo_label_loss(logits, batch, config).backward()
        propagated = logits.grad.abs().sum(1)[~batch.annotated].mean()
        pulls.append(propagated / logits.grad.abs().sum(1)[batch.annotated].mean())
    assert pulls[1] / pulls[0] == pytest.approx(0.5**3, rel=0.02)
