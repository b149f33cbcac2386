"""Data sets: what is on disk, who may see what, and how much of the truth an annotator gives."""

from spss.datasets.annotations import (
    Annotations,
    load_label_of,
    read_annotations,
    sparse_label_of,
    write_annotations,
)
from spss.datasets.budgets import make_budget
from spss.datasets.dataset import Case, Dataset, open_decathlon
from spss.datasets.phantoms import make_phantoms
from spss.datasets.samples import cache_folder, sample_data
from spss.datasets.splits import split

__all__ = [
    "Annotations",
    "Case",
    "Dataset",
    "cache_folder",
    "load_label_of",
    "make_budget",
    "make_phantoms",
    "open_decathlon",
    "read_annotations",
    "sample_data",
    "sparse_label_of",
    "split",
    "write_annotations",
]
