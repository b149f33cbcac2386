"""What a network looks like, as plain numbers that a configuration file can hold."""

from __future__ import annotations

from dataclasses import dataclass

Triple = tuple[int, int, int]


@dataclass(frozen=True)
class Architecture:
    """A U-Net's shape.

    Attributes:
        family: ``unet`` (MONAI's UNet: its first convolution already strides, so it is cheap enough
            for a CPU) or ``dynunet`` (nnU-Net's network: convolves at full resolution, unless a
            ``stem_stride`` keeps its first level coarser).
        channels: filters per resolution level, top first.
        strides: downsampling per axis between one level and the next, ``len(channels) - 1``.
        kernels: convolution kernel per level; ``unet`` uses the first for all.
        residual_units: convolutions with a residual connection per level (``unet`` only).
        head_channels: filters at full resolution before the classes (``unet``, and ``dynunet`` with
            a stem).
        stem_stride: of the very first convolution (``dynunet`` only); a transposed convolution
            brings the decoder's features back to the grid of the image.
    """

    family: str
    channels: tuple[int, ...]
    strides: tuple[Triple, ...]
    kernels: tuple[Triple, ...]
    residual_units: int = 2
    head_channels: int = 8
    stem_stride: Triple = (1, 1, 1)

    @property
    def downsampling(self) -> tuple[Triple, ...]:
        """From the image to the lowest level: the stem where it strides, then ``strides``."""
        return self.strides if max(self.stem_stride) == 1 else (self.stem_stride, *self.strides)

    @property
    def total_stride(self) -> Triple:
        """Input sizes must be multiples of this."""
        product = [1, 1, 1]
        for stride in self.downsampling:
            product = [done * step for done, step in zip(product, stride, strict=True)]
        return (product[0], product[1], product[2])
