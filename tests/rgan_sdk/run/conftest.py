"""A folder with one series that the model takes, one of another kernel, and other files."""

import errno
from pathlib import Path

import pytest
from support.models import make_series_card, write_model

from rgan_sdk.dicom.read.kernel_guard import Verdict
from rgan_sdk.dicom.synthetic.sample import write_sample_series
from rgan_sdk.engines.identity import IdentityEngine
from rgan_sdk.harmonizer import Harmonizer
from rgan_sdk.model import HarmonizationModel


@pytest.fixture(autouse=True)
def fixed_time(monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")


@pytest.fixture
def source(tmp_path):
    folder = tmp_path / "in"
    write_sample_series(folder / "taken", "B40f", slices=3, size=64, seed=1)
    write_sample_series(folder / "other", "H30s", slices=2, size=64, seed=2)
    (folder / "notes.txt").write_text("no DICOM")
    return folder


@pytest.fixture
def folder(tmp_path):
    """The folder of a series that has the files of ``support.damage.FILES``."""
    folder = tmp_path / "1.2.3"
    folder.mkdir()
    (folder / "1.dcm").write_text("abc")
    (folder / "2.dcm").write_text("abcd")
    return folder


@pytest.fixture
def card():
    return make_series_card()


@pytest.fixture
def model(tmp_path):
    return HarmonizationModel.open(write_model(tmp_path / "m.onnx", make_series_card()))


@pytest.fixture
def suspect(monkeypatch):
    """Let all images show another kernel."""
    verdict = Verdict("suspect kernel", True)
    monkeypatch.setattr("rgan_sdk.run.jobs.judge_kernel", lambda series, card: verdict)


@pytest.fixture
def full_disk(monkeypatch):
    """Leave no room for the folders of series."""
    mkdir = Path.mkdir

    def refuse(path, *args, **kwargs):
        if path.parent.name == "staging":
            raise OSError(errno.ENOSPC, "No space left on device")
        mkdir(path, *args, **kwargs)

    monkeypatch.setattr(Path, "mkdir", refuse)


class BatchBoundEngine(IdentityEngine):
    """An engine whose bits depend on the batch, on a device of any name."""

    batch_invariant = False

    def __init__(self, model, device="cpu", size=4):
        super().__init__(model, "cpu")
        self.device, self.size = device, size

    @property
    def default_batch_size(self):
        return self.size


@pytest.fixture
def bound(model):
    """Return a function that makes harmonizers of which each batch size gives other bits."""

    def make(size=4, device="cpu", asked=None):
        return Harmonizer(BatchBoundEngine(model, device, size), asked)

    return make
