import pytest
import torch

from spss.networks import build_segmenter
from spss.training.fingerprint import Fingerprint
from spss.training.model_file import ModelConfig, save_model
from spss.training.plan import make_plan


@pytest.fixture
def make_model(tmp_path):
    """Writes an untrained model for a planned grid; untrained ones have no favourite class."""

    def make(*, patch=(16, 16, 16), spacing=(1.0, 1.0, 1.0), classes=(0, 1, 2), memory_gb=2.0):
        import numpy as np

        fingerprint = Fingerprint(
            np.asarray([patch]), np.asarray([spacing]), np.linspace(0, 1, 50, dtype="f4"), {}
        )
        plan = make_plan(fingerprint, memory_gb=memory_gb)
        network = build_segmenter(plan.architecture, class_count=len(classes), seed=5)
        with torch.no_grad():  # spread the logits, so that the classes differ
            for parameter in network.parameters():
                parameter.mul_(1.5)
        names = ("background", "front", "back")
        save_model(tmp_path / "model", ModelConfig(names, classes, plan, {}), network)
        return tmp_path / "model"

    return make
