import argparse

import pytest

from spss.errors import InputError
from spss_apps.benchmark import benchmark_names
from spss_apps.benchmarks import scaling, step_cost
from spss_apps.benchmarks.step_probe import Probe, ProbedTrainer, make_batch, measure_alone

TINY = (16, 16, 32)


def _arguments(module, *words):
    parser = argparse.ArgumentParser()
    module.add_arguments(parser)
    return parser.parse_args(words)


def test_a_batch_has_every_class_and_labels_where_they_were_asked_for():
    batch = make_batch(Probe("spss", patch=TINY, labelled=2, unlabelled=1, classes=4))
    assert batch.labelled.tolist() == [True, True, False]
    assert batch.pseudo_label.argmax(1).unique().tolist() == [0, 1, 2, 3]
    assert (batch.reliability[2] == 0).all()


def test_the_modes_share_batch_and_network_and_the_released_one_does_all_its_work():
    probes = step_cost.probes_of(_arguments(step_cost, "--patch", *map(str, TINY)))
    assert len({(p.patch, p.labelled, p.unlabelled, p.embedding) for p in probes.values()}) == 1
    trainer = ProbedTrainer(probes[step_cost.THEIRS])
    student, teacher = trainer._training.student, trainer._training.teacher
    passes = {"student": 0, "teacher": 0}
    for name, network in (("student", student), ("teacher", teacher)):
        network.register_forward_pre_hook(
            lambda module, inputs, name=name: passes.update({name: passes[name] + len(inputs[0])})
        )
    assert trainer.step() > 0
    assert passes == {"student": 4 * 4, "teacher": 11 * 4}  # of batches of four
    feedback = trainer._training.method.feedback
    assert {int(each["step"]) for each in feedback.optimiser.state.values()} == {20}


def test_our_step_takes_one_pass_of_each_network():
    trainer = ProbedTrainer(Probe("spss", patch=TINY))
    passes = []
    trainer._training.student.register_forward_pre_hook(lambda *_: passes.append("student"))
    trainer._training.teacher.register_forward_pre_hook(lambda *_: passes.append("teacher"))
    trainer.step()
    assert sorted(passes) == ["student", "teacher"]


def test_the_page_tells_how_many_times_the_released_recipe_costs_ours():
    result = {
        "probe": {"patch": [8, 8, 8], "labelled": 1, "unlabelled": 1, "classes": 2,
                  "precision": "float32"},
        "load": "load 1.0 on 2 cores",
        "seconds": {"spss": [1.0, 2.0, 3.0], "released recipe": [12.0, 14.0, 16.0]},
        "memory": {"spss": 0.5, "released recipe": 2.5},
        "contrast_mb": {"linear": 10.0, "dense": 400.0},
    }  # fmt: skip
    text = step_cost.report(result, "command")
    assert "costs 7.0 times our step" in text
    assert "| released recipe | 14.00 | 12.00-16.00 | 7.0 | 2.50 |" in text
    assert "(40 times)" in text


def test_a_point_of_the_scaling_is_measured_in_its_own_process(tmp_path, capsys):
    words = ["--edges", "16", "--classes", "2", "--steps", "1", "--folder", str(tmp_path)]
    arguments = _arguments(scaling, *words, "--page", str(tmp_path / "page.md"))
    points = scaling.planned_points(arguments)
    assert [(point.patch[0], point.classes) for point in points] == [(16, 2), (64, 2)]
    measured = measure_alone(points[0], 1)
    assert measured["seconds"] > 0
    assert 0 <= measured["step_gb"] < measured["peak_gb"]
    rows = [
        {"method": "spss", "patch": [edge] * 3, "labelled": 1, "unlabelled": 1, "classes": classes,
         **measured}
        for edge, classes in ((16, 2), (64, 2), (64, 4))
    ]  # fmt: skip
    text = scaling.report(rows, "load", "command")
    assert len([line for line in text.splitlines() if "³ |" in line]) == 3
    scaling.draw(rows, tmp_path / "figure.png")
    assert (tmp_path / "figure.png").stat().st_size > 5000


def test_a_point_that_cannot_be_measured_says_why(monkeypatch):
    monkeypatch.setattr("sys.executable", "/bin/false")  # stands for a process that was killed
    with pytest.raises(InputError, match=r"could not be measured: exit status 1"):
        measure_alone(Probe("nothing", patch=TINY), 1)


def test_every_measurement_is_offered_and_their_parts_are_not():
    names = benchmark_names()
    offered = {"ablation", "curves", "scaling", "selection", "step_cost", "training"}
    assert offered <= set(names)
    assert not {"fit_end", "step_probe", "training_run", "training_jobs"} & set(names)
