"""Inference tasks, one a file."""
