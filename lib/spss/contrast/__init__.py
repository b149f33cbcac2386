"""Contrastive losses between voxel embeddings (SC and local prototypes)."""

from spss.contrast.bidirectional import bidirectional_contrast
from spss.contrast.prototypes import prototype_contrast

__all__ = ["bidirectional_contrast", "prototype_contrast"]
