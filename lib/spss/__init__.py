"""SPSS: annotate one slice, get the volume, be told which slice to draw next."""

__version__ = "0.1.0"
