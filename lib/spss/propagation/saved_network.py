"""Networks of propagation on disk: their config and weights, nothing that runs when it is read."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import torch

from spss.errors import InputError
from spss.volumes import replace_atomically

if TYPE_CHECKING:
    from typing_extensions import Self  # Python 3.10 has none of its own


class SavedNetwork(torch.nn.Module):
    """A network that is made of a config, and can be kept in a file.

    Attributes:
        kind: what it is, in words.
        Config: frozen dataclass of its architecture and training.
        config: the one it was made from.
    """

    kind: ClassVar[str]
    Config: ClassVar[type]
    config: Any

    def __init__(self, config: Any = None) -> None:
        super().__init__()
        self.config = config or self.Config()

    def save(self, path: Path) -> None:
        """Writes weights and config, atomically."""
        with replace_atomically(path) as unfinished:
            content = {"kind": self.kind, "config": asdict(self.config), "state": self.state_dict()}
            torch.save(content, unfinished)

    @classmethod
    def load(cls, path: Path) -> Self:
        """The network of a file, ready to predict; raises InputError if it is not of this kind."""
        try:
            saved = torch.load(path, map_location="cpu", weights_only=True)
            found = saved.get("kind", cls.kind)
            if found != cls.kind:
                msg = f"it holds a {found}"
                raise TypeError(msg)
            network = cls(cls.Config(**saved["config"]))
            network.load_state_dict(saved["state"])
        except Exception as error:
            msg = f"{path} does not hold a {cls.kind} ({error}): train one first."
            raise InputError(msg) from error
        return network.eval()
