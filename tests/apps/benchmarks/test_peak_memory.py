import sys

import numpy as np
import pytest

from spss_apps.benchmarks.peak_memory import with_peak_mb


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the peak of a piece of work")
def test_the_peak_is_that_of_the_work_and_not_of_what_came_before():
    def work(voxels):
        return float(np.ones(voxels, np.float32).sum())

    large = with_peak_mb(lambda: work(50_000_000))
    small = with_peak_mb(lambda: work(10_000_000))
    assert large[0] == 50_000_000
    assert 180 < large[1] < 300
    assert 30 < small[1] < 120


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the peak of a piece of work")
def test_memory_that_was_freed_before_counts_when_it_is_used_again():
    def work():
        return [np.ones(20_000, np.float32) for _ in range(1500)]

    kept = [with_peak_mb(work)[0][-1]]  # the end of the heap stays in use
    parts, peak_mb = with_peak_mb(work)
    kept.append(parts[0])
    assert peak_mb > 80
