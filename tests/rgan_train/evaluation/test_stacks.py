"""What is measured of a model: the slices that a run would write."""

import numpy as np
import pytest
from pydicom import dcmread
from support.models import make_domain_card, write_model
from support.training import list_pairs, write_pair_of_scans

import rgan_sdk as rgan
from rgan_sdk.errors import TrainingError
from rgan_train.config import DataConfig
from rgan_train.evaluation.stacks import harmonize_stack, read_test_stack
from rgan_train.pairs.csv import read_pairs
from rgan_train.pairs.dataset import load_dataset

DIRECTION = DataConfig(source_kernel="B40f", target_kernel="B70f")


@pytest.fixture
def dataset(tmp_path):
    root = write_pair_of_scans(tmp_path / "scans")
    return load_dataset(read_pairs(list_pairs(root)), DIRECTION, needed=("test",))


def test_a_slice_that_cannot_be_read_is_named_with_its_folder(dataset):
    item = dataset.test[1]
    item.target.write_bytes(item.target.read_bytes()[:-100])
    with pytest.raises(TrainingError) as caught:
        read_test_stack(dataset)
    assert str(caught.value).startswith(f"{item.target}: PixelData cannot be decoded")


def test_a_models_slices_are_those_that_a_run_writes(dataset, tmp_path):
    stack = read_test_stack(dataset)
    model = write_model(tmp_path / "m.onnx", make_domain_card())
    images, _ = harmonize_stack(model, stack, "B40f", "B70f", lambda: None)
    accepted = {"outside_domain": ("spacing", "manufacturer")}
    with rgan.Harmonizer.load(model, **accepted) as harmonizer:
        rgan.harmonize_directory(stack.items[0].source.parent, tmp_path / "out", harmonizer)
    written = {}
    for path in (tmp_path / "out").rglob("*.dcm"):
        dataset = dcmread(path)
        source = dataset.SourceImageSequence[0].ReferencedSOPInstanceUID
        hu = dataset.pixel_array * float(dataset.RescaleSlope) + float(dataset.RescaleIntercept)
        written[source] = hu
    for item, hu in zip(stack.items, images, strict=True):
        assert np.array_equal(hu, written[item.source_uid])
    assert not np.array_equal(images, stack.source_hu)
