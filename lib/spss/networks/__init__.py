"""Segmentation networks built from MONAI's, with logits and optional decoder features."""

from spss.networks.architecture import Architecture
from spss.networks.segmenter import Segmenter, build_segmenter

__all__ = ["Architecture", "Segmenter", "build_segmenter"]
