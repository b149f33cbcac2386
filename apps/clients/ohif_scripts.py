"""What is asked of OHIF inside the page, in JavaScript."""

from __future__ import annotations

LABELMAP = """() => {
  const all = services.segmentationService.getSegmentations();
  if (!all.length) return null;
  const volume = services.segmentationService.getLabelmapVolume(all[0].segmentationId);
  if (!volume) return null;
  const values = volume.voxelManager.getCompleteScalarDataArray();
  const found = [];
  for (let i = 0; i < values.length; i++) if (values[i]) found.push([i, values[i]]);
  const segments = all[0].config?.segments ?? all[0].segments;
  const names = {};
  for (const [index, segment] of Object.entries(segments)) names[index] = segment.label;
  return {
    size: Array.from(volume.dimensions), origin: Array.from(volume.origin),
    spacing: Array.from(volume.spacing), direction: Array.from(volume.direction), found, names,
  };
}"""
"""The first segmentation: grid, voxels that are not 0, names of its values."""

JUMP = """([view, index]) => {
  const viewport = services.cornerstoneViewportService.getCornerstoneViewport(view);
  cornerstone.utilities.jumpToSlice(viewport.element, {imageIndex: index});
}"""
"""Shows a slice in a view."""

SHOWN = """() => Array.from(services.viewportGridService.getState().viewports.values())
  .flatMap(v => v.displaySetInstanceUIDs)
  .map(uid => services.displaySetService.getDisplaySetByUID(uid).SeriesInstanceUID)"""
"""SeriesInstanceUIDs in the views."""

DRAWN = """() => {
  const canvases = [...document.querySelectorAll('.cornerstone-canvas')];
  return canvases.length > 0 && canvases.every(canvas => {
    const copy = document.createElement('canvas');
    copy.width = copy.height = 64;
    const context = copy.getContext('2d');
    context.drawImage(canvas, 0, 0, 64, 64);
    return context.getImageData(0, 0, 64, 64).data.some((value, i) => i % 4 < 3 && value > 8);
  });
}"""
"""Whether every view shows something."""

LABELMAP_THERE = """() => {
  const all = services.segmentationService.getSegmentations();
  return all.length > 0 && !!services.segmentationService.getLabelmapVolume(all[0].segmentationId);
}"""
"""Whether there is a segmentation to put results into."""

COLOURED = """(view) => {
  const canvas = services.cornerstoneViewportService.getCornerstoneViewport(view).getCanvas();
  const copy = document.createElement('canvas');
  copy.width = canvas.width; copy.height = canvas.height;
  const context = copy.getContext('2d');
  context.drawImage(canvas, 0, 0);
  const data = context.getImageData(0, 0, copy.width, copy.height).data;
  let count = 0;
  for (let i = 0; i < data.length; i += 4) {
    const low = Math.min(data[i], data[i + 1], data[i + 2]);
    const high = Math.max(data[i], data[i + 1], data[i + 2]);
    if (high - low > 30) count++;
  }
  return count;
}"""
"""Pixels of a view that are not grey."""
