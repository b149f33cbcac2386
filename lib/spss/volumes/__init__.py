"""Volumes on disk and in space: read, check, orient, write back on the source grid.

Nothing here needs torch, so that the command line and the server start fast.
"""

from spss.volumes.atomic import replace_atomically
from spss.volumes.files import image_name, is_image_file, list_images
from spss.volumes.grid import Grid, check_same_grid
from spss.volumes.intensity import is_constant, robust_range
from spss.volumes.labels import read_label, read_label_planes
from spss.volumes.orientation import from_canonical, to_canonical
from spss.volumes.volume import Volume, read_grid, read_image
from spss.volumes.writing import write_label, write_map

__all__ = [
    "Grid",
    "Volume",
    "check_same_grid",
    "from_canonical",
    "image_name",
    "is_constant",
    "is_image_file",
    "list_images",
    "read_grid",
    "read_image",
    "read_label",
    "read_label_planes",
    "replace_atomically",
    "robust_range",
    "to_canonical",
    "write_label",
    "write_map",
]
