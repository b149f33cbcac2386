"""Which voxels did a person decide?"""

from spss.annotation.class_names import BACKGROUND, check_class_names, rename_classes
from spss.annotation.entry import Entry
from spss.annotation.entry_folder import Problem
from spss.annotation.find_planes import find_planes
from spss.annotation.fold import Standing
from spss.annotation.image_folder import folder_name
from spss.annotation.ledger import Ledger
from spss.annotation.plane import Plane
from spss.annotation.sparse_label import SparseLabel

__all__ = [
    "BACKGROUND",
    "Entry",
    "Ledger",
    "Plane",
    "Problem",
    "SparseLabel",
    "Standing",
    "check_class_names",
    "find_planes",
    "folder_name",
    "rename_classes",
]
