"""Labels that a method renews belong to the training's state."""

import torch

from spss.methods.spss_config import SpssConfig
from spss.training import train

NAMES = ("background", "front", "back")


def test_renewed_labels_survive_a_stop(tmp_path, cases, quick):
    options = {**quick, "method_config": SpssConfig(registration_steps=2)}
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    train(cases, NAMES, out=whole, iterations=8, **options)
    steps = iter(range(100))
    train(cases, NAMES, out=parts, iterations=8, should_stop=lambda: next(steps) >= 4, **options)
    renewed = torch.load(parts / "checkpoint.pt", weights_only=True)["loader"]["renewed"]
    assert set(renewed) == {case.name for case in cases if case.load_label}
    train(cases, NAMES, out=parts, iterations=8, resume=True, **options)
    kept = [torch.load(each / "checkpoint.pt", weights_only=True) for each in (whole, parts)]
    for name, value in kept[0]["student"].items():
        assert torch.equal(value, kept[1]["student"][name])
