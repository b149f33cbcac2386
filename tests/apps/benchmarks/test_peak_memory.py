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
        return sum(
            float(part.sum()) for part in [np.ones(2_000_000, np.float32) for _ in range(20)]
        )

    peaks = [with_peak_mb(work)[1] for _ in range(4)]
    assert min(peaks) > 100, peaks
