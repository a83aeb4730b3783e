"""What a run leaves to read, line by line."""

import json
from importlib import metadata

import numpy as np
import pytest
from support.training import open_dataset
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from rgan_sdk.errors import TrainingError
from rgan_sdk.files import file_sha256
from rgan_sdk.hu import HUWindow
from rgan_train.pairs import read_pairs
from rgan_train.training.runlog import RunLog, collect_provenance
from rgan_train.training.validation import HarmonizedSlice


def epochs(path):
    return [json.loads(line)["epoch"] for line in path.open()]


def write_epochs(folder, first, last):
    with RunLog(folder, first - 1, 3 * (first - 1), active=True) as log:
        for epoch in range(first, last + 1):
            log.epoch({"epoch": epoch, "validation_psnr": 30.0 + epoch}, 3 * epoch)
            log.window({"epoch": epoch, "phase": "growing"})


def test_lines_after_the_last_checkpoint_are_removed(tmp_path):
    write_epochs(tmp_path, 1, 4)
    write_epochs(tmp_path, 3, 5)
    assert epochs(tmp_path / "metrics.jsonl") == [1, 2, 3, 4, 5]
    assert epochs(tmp_path / "windows.jsonl") == [1, 2, 3, 4, 5]


def test_a_version_that_cannot_be_told_is_unknown(scans, pairs_csv, monkeypatch):
    """Another distribution may bring the modules of lightning-fabric."""

    def version(name):
        if name == "lightning-fabric":
            raise metadata.PackageNotFoundError(name)
        return "1.0"

    monkeypatch.setattr(metadata, "version", version)
    provenance = collect_provenance(open_dataset(scans), read_pairs(pairs_csv), None, [])
    assert provenance["software"]["lightning-fabric"] == "unknown"
    assert provenance["software"]["torch"] == "1.0"


@pytest.mark.parametrize("name", ["metrics.jsonl", "windows.jsonl"])
@pytest.mark.parametrize(
    "rest", [b'{"epoch": 3, "va', b'{"epoch', b"\0" * 40, b"\xff", b"3", b"[3]"]
)
def test_a_last_line_that_was_cut_off_is_removed(tmp_path, name, rest):
    write_epochs(tmp_path, 1, 2)
    with (tmp_path / name).open("ab") as file:
        file.write(rest)
    write_epochs(tmp_path, 3, 4)
    assert epochs(tmp_path / name) == [1, 2, 3, 4]


def test_a_last_line_without_its_end_is_kept(tmp_path):
    write_epochs(tmp_path, 1, 2)
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(path.read_bytes().removesuffix(b"\n"))
    write_epochs(tmp_path, 3, 3)
    assert epochs(path) == [1, 2, 3]


@pytest.mark.parametrize("line", ["{", "[]", "{}", "\0\0"])
def test_another_damaged_line_is_an_error(tmp_path, line):
    write_epochs(tmp_path, 1, 2)
    path = tmp_path / "windows.jsonl"
    path.write_text(f"{line}\n{path.read_text()}")
    with pytest.raises(TrainingError, match=r"windows.jsonl: is damaged, line 1;"):
        write_epochs(tmp_path, 3, 3)


def test_one_process_writes(tmp_path):
    with RunLog(tmp_path, 0, 0, active=False) as log:
        log.scalars({"train/G_L1": 1.0}, 1)
        log.epoch({"epoch": 1}, 1)
        log.window({"epoch": 1})
    assert list(tmp_path.iterdir()) == []


def test_tensorboard_has_scores_and_images(tmp_path):
    image = np.zeros((8, 10), np.float32)
    with RunLog(tmp_path, 0, 0, active=True) as log:
        log.epoch({"epoch": 1, "validation_psnr": 31.5, "G_L1": 2.0}, 3)
        log.images(HarmonizedSlice(image, image + 50, image), HUWindow(-100, 100), 3)
    board = EventAccumulator(str(tmp_path / "tensorboard"), {"images": 0})
    board.Reload()
    (score,) = board.Scalars("validation/psnr")
    assert (score.step, score.value) == (3, 31.5)
    (shown,) = board.Images("source | fake | target | difference")
    assert (shown.height, shown.width) == (8, 40)


def test_provenance_names_data_and_software_but_no_place(scans, pairs_csv):
    pairs = read_pairs(pairs_csv)
    recorded = collect_provenance(open_dataset(scans), pairs, None, [9.5, 12.25, 10.0])
    assert recorded["pairs_sha256"] == file_sha256(pairs_csv)
    assert (recorded["source_kernel"], recorded["target_kernel"]) == ("B40f", "B70f")
    assert recorded["slices"] == {"train": 7, "validation": 1, "test": 3}
    assert recorded["vgg_weights_sha256"] == ""
    assert recorded["noise_hu"] == [9.5, 12.25]
    assert "torch" in recorded["software"]
    text = json.dumps(recorded)
    assert str(scans) not in text
    assert pairs[0].patient not in text


def test_the_weight_file_is_recorded(scans, pairs_csv, tmp_path):
    file = tmp_path / "vgg.npz"
    file.write_bytes(b"weights")
    recorded = collect_provenance(open_dataset(scans), read_pairs(pairs_csv), file, [])
    assert recorded["vgg_weights_sha256"] == file_sha256(file)


@pytest.mark.parametrize("epoch", [0, 2])
def test_nothing_to_remove_in_a_new_folder(tmp_path, epoch):
    with RunLog(tmp_path, epoch, 0, active=True):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["tensorboard"]
