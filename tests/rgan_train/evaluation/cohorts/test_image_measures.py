"""What is measured on the slices of a group."""

import numpy as np
import pytest

from rgan_train.evaluation.cohorts.cohort import Cohort, Scan
from rgan_train.evaluation.cohorts.image_measures import measure_images


def make_scan(level):
    """A slice of bone at the corner of air: 900 pixels whose neighbours are all bone."""
    hu = np.full((1, 96, 96), -1000, np.float32)
    hu[0, :34, :34] = level
    return Scan("a", "SOFT", (0.7, 0.7), 3.0, hu, np.zeros(hu.shape, np.bool_))


def test_a_tissue_needs_pixels_in_the_group_and_not_in_each_scan():
    few = Cohort("source", (make_scan(400),), 1)
    assert np.isnan(measure_images(few, few.images).hu["bone"])
    enough = Cohort("source", (make_scan(400), make_scan(500)), 2)
    assert measure_images(enough, enough.images).hu["bone"] == pytest.approx(450)
    assert measure_images(enough, enough.images).hu["air"] == pytest.approx(-1000)
