"""Mixing volumes across patients: images, targets and weights by one and the same mask."""

from spss.mixing.masks import block_mask, box_mask
from spss.mixing.mix import cut_mix, mutual_mix

__all__ = ["block_mask", "box_mask", "cut_mix", "mutual_mix"]
