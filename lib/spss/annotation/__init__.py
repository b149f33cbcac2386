"""Which voxels did a person decide?"""

from spss.annotation.plane import Plane
from spss.annotation.sparse_label import SparseLabel

__all__ = ["Plane", "SparseLabel"]
