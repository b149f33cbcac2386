import torch
from torch import nn

from spss.training.teacher import make_teacher, update_teacher


def test_the_teacher_moves_slowly_and_takes_normalisation_buffers_along():
    student = nn.Sequential(nn.Conv3d(1, 2, 1), nn.BatchNorm3d(2))
    teacher = make_teacher(student)
    with torch.no_grad():
        for value in student.state_dict().values():
            value.fill_(5 if value.dtype.is_floating_point else 7)
    before = {name: value.clone() for name, value in teacher.state_dict().items()}
    update_teacher(teacher, student, iteration=10_000, decay=0.9)
    for name, value in teacher.state_dict().items():
        expected = 0.9 * before[name] + 0.5 if value.dtype.is_floating_point else torch.tensor(7)
        assert torch.allclose(value, expected), name


def test_the_first_updates_forget_the_random_start():
    student = nn.Linear(2, 2)
    teacher = make_teacher(student)
    with torch.no_grad():
        student.weight.fill_(3.0)
    for iteration in range(40):
        update_teacher(teacher, student, iteration)
    assert (teacher.weight - 3.0).abs().max() < 0.1


def test_the_teacher_is_never_trained_by_gradients():
    teacher = make_teacher(nn.Linear(2, 2))
    assert not any(parameter.requires_grad for parameter in teacher.parameters())
    assert not teacher.training
