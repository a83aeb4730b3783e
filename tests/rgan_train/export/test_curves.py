"""The curves of a card are those of the training slices."""

from support.kernels import chests, exponential

from rgan_sdk.kernels import measure_kernel
from rgan_train.export import curves
from rgan_train.export.curves import measure_curves
from rgan_train.pairs import PairedSample, WholeSlices

SPACING = 0.7


class Slices(WholeSlices):
    """Slices that are in memory, of which some are read."""

    def __init__(self, samples):
        self.samples, self.read = samples, []

    def __len__(self):
        return len(self.samples)

    def spacing(self, index):
        return SPACING

    def __getitem__(self, index):
        self.read.append(index)
        return self.samples[index]


def test_each_kernel_has_its_own_curves_of_slices_from_all_over(monkeypatch):
    monkeypatch.setattr(curves, "SLICES", 2)
    groups = [chests(exponential(f50, 2.2), SPACING, 2, seed=1) for f50 in (3, 4.5)]
    pairs = [PairedSample(*images) for images in zip(*groups, strict=True)]
    slices = Slices([pairs[0], *[None] * 6, pairs[1]])
    found = measure_curves(slices)
    assert slices.read == [0, 7]
    for (mean,), images in zip((found.source, found.target), groups, strict=True):
        spectra = measure_kernel(images, (SPACING, SPACING))
        assert mean.pixel_spacing == SPACING
        assert mean.structure_blocks == spectra.structure_blocks.sum()
        assert mean.even_blocks == spectra.even_blocks.sum()
