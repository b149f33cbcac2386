"""Memory over time as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


def draw(samples: Sequence[Sequence[float]], path: Path) -> None:
    """Draws the server's memory and its training's.

    Args:
        samples: (seconds, server GB, children GB).
        path: PNG to write.
    """
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    minutes = [sample[0] / 60 for sample in samples]
    figure, axes = plt.subplots(figsize=(7, 3))
    axes.plot(minutes, [sample[1] for sample in samples], label="server")
    axes.plot(minutes, [sample[2] for sample in samples], label="training and scoring")
    axes.set_xlabel("minutes")
    axes.set_ylabel("resident memory, GB")
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
    axes.legend()
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    plt.close(figure)
