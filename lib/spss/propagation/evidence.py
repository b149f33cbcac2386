"""What the images say for and against a carried class, voxel by voxel."""

from __future__ import annotations

import cv2
import numpy as np

from spss.propagation.appearance import histogram_likelihood, texture_likelihood
from spss.propagation.maps import Maps, across, blur, depth_of, mean_under, outward, running_mean
from spss.propagation.view import View

FEATURES = (
    "prior",
    "prior_wide",
    "others",
    "depth",
    "own_depth",
    "image",
    "residual",
    "residual_wide",
    "residual_worst",
    "residual_mean",
    "raw_residual",
    "match",
    "likelihood",
    "likelihood_wide",
    "likelihood_worst",
    "texture",
    "edge",
    "reach",
    "steps",
    "thickness",
    "slice_residual",
    "slice_residual_worst",
    "slice_match",
    "slice_likelihood",
    "ring_likelihood",
    "slice_area",
)
"""Names of the evidence's channels, in order; ``evidence`` says what each is."""


def evidence(view: View) -> Maps:
    """Evidence for one class.

    All lengths are in equivalent radii of the drawn structure, all intensities in standard
    deviations of the drawn structure and its ring, brighter inside than outside.

    Returns:
        ``(F, S, h, w)`` float32, the channels of ``FEATURES``:

        - prior (logit / 2), the same blurred, the other classes' prior (logit / 2);
        - depth inside the carried contour and inside the drawn one;
        - the image itself; its residual against the warped drawn slice, blurred narrowly and
          widely, the worst and the mean of the wide one on the way from the drawn slice, and one
          on the volume's own intensity scale, blurred across slices as well;
        - match: local correlation of image and warped drawn slice;
        - log likelihood of the intensity inside against the ring, narrow, wide, and its worst on
          the way; of intensity, its surroundings and its gradient together (texture);
        - edge: how much the image darkens outwards along the carried contour's normal;
        - distance from the drawn slice (reach), registration steps, the drawn structure's
          greatest depth (1 for a disc, small for a ring or a sheet);
        - over the carried structure as a whole: residual, worst residual so far, match,
          likelihood inside and just outside, area against the drawn one.
    """
    scale = _Scale(view)
    depth = np.stack([depth_of(each > 0.5, 2 * view.radius) for each in view.prior]) / view.radius
    channels = (
        _of_shape(view, scale, depth) | _of_change(view, scale) | _of_looks(view, scale, depth)
    )
    out = np.empty((len(FEATURES), *view.image.shape), np.float32)
    for place, name in enumerate(FEATURES):
        channel = channels[name]
        out[place] = channel[:, None, None] if channel.ndim == 1 else channel
    return out


def _of_shape(view: View, scale: _Scale, depth: Maps) -> dict[str, Maps]:
    """What the carried contour and the way from the drawn slice say, whatever the image shows."""
    steps = np.abs(np.arange(len(view.image)) - view.index).astype(np.float32)
    thickness = min(float(scale.depth.max()) / view.radius, 1.5)
    own_area = max(float(view.prior[view.index].sum()), 1.0)
    return {
        "prior": _logit(view.prior),
        "prior_wide": _logit(blur(view.prior, 0.3 * view.radius)),
        "others": _logit(view.others),
        "depth": depth,
        "own_depth": np.clip(scale.depth / view.radius, -2, 2)[None],
        "reach": np.minimum(steps * view.step, 5) / 2,
        "steps": np.log1p(steps) / 3,
        "thickness": np.full(len(steps), thickness, np.float32),
        "slice_area": np.minimum(view.prior.sum(axis=(1, 2)) / own_area, 3),
    }


def _of_change(view: View, scale: _Scale) -> dict[str, Maps]:
    """How the image differs from the drawn slice, moved here."""
    index, radius = view.index, view.radius
    image, warped = scale(view.image), scale(view.warped)
    residual = np.abs(image - warped)
    wide = blur(residual, 0.35 * radius)
    match = _match(image, warped, 0.3 * radius)
    slice_residual = mean_under(residual, view.prior)
    return {
        "image": image / 2,
        "residual": blur(residual, 0.12 * radius),
        "residual_wide": wide,
        "residual_worst": outward(wide, index, np.maximum.accumulate),
        "residual_mean": outward(wide, index, running_mean),
        "raw_residual": 10 * across(blur(np.abs(view.image - view.warped), 0.2 * radius)),
        "match": match,
        "slice_residual": slice_residual,
        "slice_residual_worst": outward(slice_residual, index, np.maximum.accumulate),
        "slice_match": mean_under(match, view.prior),
    }


def _of_looks(view: View, scale: _Scale, depth: Maps) -> dict[str, Maps]:
    """How like the drawn structure the image looks here, and how like the ring around it."""
    index, radius = view.index, view.radius
    smooth = blur(view.image, 0.08 * radius)
    likelihood = histogram_likelihood(smooth, index, scale.inside, scale.ring)
    wide = blur(likelihood, 0.3 * radius)
    texture = texture_likelihood(view.image, index, scale.inside, scale.ring, radius, blur)
    just_outside = np.clip(1 - np.abs(depth + 0.3) / 0.3, 0, 1)
    return {
        "likelihood": blur(likelihood, 0.1 * radius) / 2,
        "likelihood_wide": wide / 2,
        "likelihood_worst": outward(wide, index, np.minimum.accumulate) / 2,
        "texture": texture / 3,
        "edge": _edge(scale(view.image), depth, 0.12 * radius),
        "slice_likelihood": mean_under(likelihood, view.prior) / 2,
        "ring_likelihood": mean_under(likelihood, just_outside) / 2,
    }


class _Scale:
    """Intensities relative to the drawn structure and the ring around it."""

    def __init__(self, view: View) -> None:
        drawn = view.prior[view.index]
        own = drawn > 0.5 if (drawn > 0.5).any() else drawn >= drawn.max()
        self.depth = depth_of(own, 3 * view.radius)
        self.inside = own
        self.ring = (self.depth <= 0) & (self.depth > -RING_RADII * view.radius)
        values = view.image[view.index]
        inside = float(values[self.inside].mean())
        ring = float(values[self.ring].mean()) if self.ring.any() else inside
        self.middle = 0.5 * (inside + ring)
        deviation = float(values[self.inside | self.ring].std())
        self.factor = (1 if inside >= ring else -1) / max(deviation, LEAST_DEVIATION)

    def __call__(self, values: Maps) -> Maps:
        """Grey values in units of the drawn slice's spread, above 0 where they look drawn."""
        return np.clip((values - np.float32(self.middle)) * np.float32(self.factor), -4, 4)


RING_RADII = 0.75
"""Width of the ring around the drawn structure that stands for what is not the structure."""

LEAST_DEVIATION = 0.02
"""Of the 0…1 intensity range: a nearly constant structure must not turn noise into evidence."""


def _logit(probability: Maps) -> Maps:
    """Half the logit, bounded: a certain prior must not drown the rest."""
    return np.log((probability + 0.02) / (1.02 - probability)) / 2


def _match(first: Maps, second: Maps, sigma: float) -> Maps:
    """Correlation of two pictures in a Gaussian window, −1…1."""
    mean1, mean2 = blur(first, sigma), blur(second, sigma)
    variance1 = np.maximum(blur(first * first, sigma) - mean1 * mean1, 0) + 0.01
    variance2 = np.maximum(blur(second * second, sigma) - mean2 * mean2, 0) + 0.01
    return (blur(first * second, sigma) - mean1 * mean2) / np.sqrt(variance1 * variance2)


def _edge(image: Maps, depth: Maps, sigma: float) -> Maps:
    """Derivative of the blurred image along the carried contour's inward normal."""
    smooth = blur(image, max(sigma, 0.6))
    out = np.empty_like(image)
    for index in range(len(image)):
        product = np.zeros(image.shape[1:], np.float32)
        length = np.full(image.shape[1:], 1e-3, np.float32)
        for x, y in ((1, 0), (0, 1)):
            normal = cv2.Sobel(depth[index], cv2.CV_32F, x, y, ksize=3)
            product += cv2.Sobel(smooth[index], cv2.CV_32F, x, y, ksize=3) * normal
            length += normal * normal
        out[index] = product / np.sqrt(length)
    return np.clip(out / 4, -2, 2)
