"""The registration that learns beside the segmenter: what it sees, and that it survives."""

from dataclasses import replace

import torch

from spss.methods.batch import Batch
from spss.methods.registration_feedback import RegistrationFeedback
from spss.methods.spss_reference import SpssReference, SpssReferenceConfig
from spss.training.case import PreparedCase
from spss.types import UNDECIDED

CPU = torch.device("cpu")
SHAPE = (20, 18, 10)


def drifting_bars() -> Batch:
    """Two volumes whose bar moves by one voxel a slice; the first has plane 4 annotated."""
    image = torch.zeros(2, 1, *SHAPE)
    for z in range(SHAPE[2]):
        image[:, 0, 2 + z // 2 : 7 + z // 2, 4:12, z] = 1.0
    truth = torch.full((2, *SHAPE), UNDECIDED)
    truth[0, ..., 4] = image[0, 0, ..., 4].long()
    known = torch.tensor([1.0, 0.0]).reshape(2, 1, 1, 1)
    soft = torch.cat([1 - image, image], 1) * known[:, None]
    return Batch(
        names=("a", "b"),
        image=image,
        truth=truth,
        valid=torch.ones(2, *SHAPE, dtype=torch.bool),
        pseudo_label=soft,
        reliability=known.expand(2, *SHAPE).clone(),
        distance=torch.where(known > 0, 1.0, torch.inf).expand(2, *SHAPE).clone(),
        spacing_mm=(1.0, 1.0, 1.0),
    )


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def weights(feedback: RegistrationFeedback) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in feedback.network.parameters()])


def test_it_learns_to_move_a_slice_onto_its_neighbour() -> None:
    batch, feedback = drifting_bars(), RegistrationFeedback(CPU, class_count=2, learning_rate=3e-3)
    before = feedback.learn_images(batch, steps=1, generator=generator())
    feedback.learn_images(batch, steps=40, generator=generator())
    assert feedback.learn_images(batch, steps=1, generator=generator()) < 0.8 * before


def test_labels_are_of_labelled_volumes_only_and_change_what_is_learned() -> None:
    batch = drifting_bars()
    results = []
    for other in (0.0, 1.0):
        feedback, label = RegistrationFeedback(CPU, class_count=2), batch.pseudo_label.clone()
        label[1] = other  # the unlabelled volume's label must not matter
        feedback.learn_labels(batch, label, steps=2, generator=generator())
        results.append(weights(feedback))
    assert torch.equal(*results)
    images = RegistrationFeedback(CPU, class_count=2)
    images.learn_images(batch, steps=2, generator=generator())
    assert not torch.equal(results[0], weights(images))


def test_the_same_generator_gives_the_same_weights_whatever_the_global_one_holds() -> None:
    results = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        before = torch.get_rng_state()
        feedback = RegistrationFeedback(CPU, class_count=2)
        feedback.learn_images(drifting_bars(), steps=2, generator=generator())
        assert torch.equal(before, torch.get_rng_state())
        results.append(weights(feedback))
    assert torch.equal(*results)


def test_it_goes_on_after_a_restart_as_if_it_had_never_stopped() -> None:
    batch, whole, stopped = (
        drifting_bars(),
        RegistrationFeedback(CPU, class_count=2),
        RegistrationFeedback(CPU, class_count=2),
    )
    whole.learn_images(batch, steps=4, generator=generator())
    draws = generator()
    stopped.learn_images(batch, steps=2, generator=draws)
    method = SpssReference(SpssReferenceConfig(registration_steps=2), class_count=2, device=CPU)
    assert method.feedback is not None
    method.load_state_dict({"previous_loss": 0.5, "registration": stopped.state_dict()})
    method.feedback.learn_images(batch, steps=2, generator=draws)
    torch.testing.assert_close(weights(whole), weights(method.feedback))
    assert set(method.state_dict()) == {"previous_loss", "registration"}


def test_a_single_voxel_has_no_neighbour() -> None:
    batch = drifting_bars()
    alone = Batch(**{**vars(batch), "image": batch.image[..., :1, :1, :1]})
    feedback = RegistrationFeedback(CPU, class_count=2)
    assert feedback.learn_images(alone, steps=2, generator=generator()) == 0.0


def volume_of(batch: Batch, soft: bool = True) -> PreparedCase:
    """The first of the batch, as training keeps it, with labels that are wrong everywhere."""
    truth = batch.truth[0].to(torch.uint8)
    wrong = torch.zeros(4, *SHAPE, dtype=torch.float16)
    wrong[0] = 1.0
    wrong[3] = batch.distance[0]
    annotated = (truth != UNDECIDED).nonzero()
    return PreparedCase("a", batch.image[0, 0], truth, wrong if soft else None, annotated)


def dice(soft: torch.Tensor, truth: torch.Tensor) -> float:
    found = soft[1] > 0.5
    return float(2 * (found & truth).sum() / (found.sum() + truth.sum()))


def test_what_was_learned_carries_the_planes_of_whole_volumes_anew() -> None:
    batch = drifting_bars()
    volume, truth = volume_of(batch), batch.image[0, 0] > 0.5
    results = []
    for steps in (0, 60):
        feedback = RegistrationFeedback(CPU, class_count=2, learning_rate=3e-3)
        label = torch.cat([1 - batch.image, batch.image], 1)
        feedback.learn_labels(batch, label, steps=steps, generator=generator())
        soft = feedback.renew([volume], (1.0, 1.0, 1.0), fraction=0.3)["a"]
        assert soft.shape == (4, *SHAPE)
        assert torch.equal(soft[:2, ..., 4].argmax(0), volume.truth[..., 4].long())
        assert torch.equal(soft[3], volume.soft[3])
        results.append(dice(soft, truth))
    assert results[1] > results[0] + 0.05


def test_labels_are_renewed_when_it_is_time_and_where_a_plane_was_drawn() -> None:
    volume = volume_of(drifting_bars())
    clicked = replace(volume, name="clicks", truth=torch.full_like(volume.truth, UNDECIDED))
    clicked.truth[3, 3, 3] = 1
    dense = replace(volume, name="dense", truth=torch.zeros_like(volume.truth))
    feedback = RegistrationFeedback(CPU, class_count=2)
    volumes, spacing = [volume, clicked, dense], (1.0, 1.0, 1.0)
    assert feedback.renew(volumes, spacing, fraction=0.2) == {}
    assert set(feedback.renew(volumes, spacing, fraction=0.3)) == {"a"}
    assert feedback.renew(volumes, spacing, fraction=0.35) == {}
    later = RegistrationFeedback(CPU, class_count=2)
    later.load_state_dict(feedback.state_dict())
    assert later.renew(volumes, spacing, fraction=0.35) == {}
    assert set(later.renew(volumes, spacing, fraction=0.4)) == {"a"}
