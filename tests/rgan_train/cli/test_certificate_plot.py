"""The page beside a match: curves that must agree, and what is not known is left out."""

import numpy as np
import pytest
from PIL import Image

from rgan_sdk.cli.kernel_plot import COLOURS
from rgan_sdk.errors import OutputError
from rgan_sdk.kernels import Curve, TransferRatio
from rgan_train.cli.certificate_plot import write_certificate
from rgan_train.matching.certificate import Evidence


def ratio(slope):
    """Return a transfer that falls by ``slope`` dB per lp/cm."""
    frequency = np.linspace(0, 7, 65)
    value = 10 ** (-slope * frequency / 20)
    return TransferRatio(
        Curve(frequency, value, 0.9 * value, 1.1 * value), np.ones(65), 7.0, misfit=0.1
    )


ALL = Evidence(ratio(3), (ratio(2.9), ratio(3.1)), ratio(0), ratio(0.1), (ratio(1), ratio(2)))
LITTLE = Evidence(ratio(3), (ratio(2.9), None), None, ratio(0.1))


def colours(path):
    with Image.open(path) as picture:
        found = picture.getcolors(picture.width * picture.height)
    drawn = {"#{:02x}{:02x}{:02x}".format(*colour) for _, colour in found}
    return [colour for colour in COLOURS if colour in drawn]


@pytest.mark.parametrize(("evidence", "curves"), [(ALL, 4), (LITTLE, 2)])
def test_a_page_has_the_curves_that_are_known(tmp_path, evidence, curves):
    write_certificate(tmp_path / "c.png", evidence, "A", "B")
    assert colours(tmp_path / "c.png") == list(COLOURS[:curves])


def test_the_certificate_says_how_far_known_answers_are_missed():
    certificate = ALL.certificate()
    assert certificate.source_to_itself == 0
    assert certificate.closure == pytest.approx(0, abs=1e-9)
    rms = 0.2 * 0.9 * 7 / np.sqrt(3)  # of a straight line from 0
    assert certificate.halves == pytest.approx(rms, rel=0.02)


def test_what_is_not_known_is_not_certified():
    certificate = LITTLE.certificate()
    assert (certificate.halves, certificate.source_to_itself, certificate.closure) == (None,) * 3
    assert certificate.target_to_itself > 0


def test_a_page_that_cannot_be_written(tmp_path):
    with pytest.raises(OutputError, match="cannot be written"):
        write_certificate(tmp_path / "missing" / "c.png", ALL, "A", "B")
