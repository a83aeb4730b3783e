import json
from dataclasses import replace

import pytest
import torch
from safetensors.torch import save_file

from rgan_sdk.errors import TrainingError
from rgan_train.config import Config, override_from_text
from rgan_train.training.run_folder import RunFolder, RunState


def tensors(value):
    return {"generator": {"weight": torch.full((2,), float(value))}}


@pytest.fixture
def folder(tmp_path):
    folder = RunFolder(tmp_path / "run")
    folder.create(Config(), {"data_sha256": "abc"}, {})
    return folder


def names(folder):
    return sorted(path.name for path in (folder.path / "checkpoints").iterdir())


def test_the_last_and_the_best_are_kept(folder):
    for epoch in range(1, 5):
        folder.save(RunState(epoch=epoch, best="epoch-0002", best_psnr=40.0), tensors(epoch))
    assert names(folder) == ["epoch-0002", "epoch-0004"]
    assert folder.state("best").epoch == 2
    assert folder.load(folder.state("last"))["generator"]["weight"].tolist() == [4.0, 4.0]


def test_a_checkpoint_within_an_epoch_comes_after_the_epoch_before(folder):
    folder.save(RunState(epoch=1), tensors(1))
    folder.save(RunState(epoch=1, step=7), tensors(2))
    assert folder.state("last") == RunState(epoch=1, step=7)
    folder.save(RunState(epoch=2), tensors(3))
    assert names(folder) == ["epoch-0002"]


@pytest.mark.parametrize(
    ("earlier", "later"),
    [
        (RunState(epoch=9000), RunState(epoch=10_000)),
        (RunState(epoch=9999), RunState(epoch=9999, step=1)),
        (RunState(epoch=9999, step=7), RunState(epoch=10_000)),
        (RunState(epoch=1, step=900_000), RunState(epoch=1, step=1_000_000)),
    ],
)
def test_the_last_checkpoint_is_that_with_the_highest_number(folder, earlier, later):
    folder.save(replace(earlier, best=earlier.name), tensors(1))
    folder.save(replace(later, best=earlier.name), tensors(2))
    assert names(folder) == sorted([earlier.name, later.name])
    assert folder.state("last") == replace(later, best=earlier.name)
    assert folder.state("best") == replace(earlier, best=earlier.name)


def test_what_was_cut_short_is_not_there(folder, monkeypatch):
    folder.save(RunState(epoch=1), tensors(1))

    def fail(*paths):
        raise KeyboardInterrupt

    monkeypatch.setattr("rgan_train.training.run_folder.sync", fail)
    with pytest.raises(KeyboardInterrupt):
        folder.save(RunState(epoch=2), tensors(2))
    monkeypatch.undo()
    assert folder.state("last") == RunState(epoch=1)
    folder.save(RunState(epoch=2), tensors(2))
    assert folder.state("last") == RunState(epoch=2)


def test_nothing_is_pickled(folder):
    path = folder.save(RunState(epoch=1), tensors(1))
    assert sorted(file.name for file in path.iterdir()) == ["generator.safetensors", "state.json"]
    assert json.loads((path / "state.json").read_text())["format"] == 2


@pytest.mark.parametrize("content", ["{", '{"format": 99}', '{"format": 1, "epochs": 1}'])
def test_unreadable_states(folder, content):
    path = folder.save(RunState(epoch=1), tensors(1))
    (path / "state.json").write_text(content)
    with pytest.raises(TrainingError, match="not a readable checkpoint"):
        folder.state("last")


def test_damaged_tensors(folder):
    path = folder.save(RunState(epoch=1), tensors(1))
    (path / "generator.safetensors").write_bytes(b"no tensors")
    with pytest.raises(TrainingError, match="the file is damaged"):
        folder.load(folder.state("last"))


@pytest.mark.parametrize("name", ["kernel", "front.kernel", "network.front.kernels"])
def test_a_linear_filter_of_an_older_version(tmp_path, name):
    folder = RunFolder(tmp_path / "run")
    settings = ("method.name=physics+gan", "data.source_kernel=Br40d\\3")
    folder.create(override_from_text(Config(), settings), {}, {})
    folder.save(RunState(epoch=1), {"generator": {name: torch.zeros(1, 1, 3, 3)}})
    with pytest.raises(TrainingError, match="made by an older version") as refused:
        folder.load(folder.state("last"))
    command = f"rgan-train fit {folder.pairs_csv} -o NEW_RUN --method physics+gan"
    assert f"{command} --set 'data.source_kernel=Br40d\\3'" in str(refused.value)


def test_an_empty_folder_holds_no_run(tmp_path):
    with pytest.raises(TrainingError, match="holds no training run"):
        RunFolder(tmp_path).config()
    assert RunFolder(tmp_path).state("best") is None


def test_other_data_are_refused(folder):
    folder.check_resumable(Config(), "abc")
    with pytest.raises(TrainingError, match="other slices"):
        folder.check_resumable(Config(), "def")


def test_an_encoder_that_is_not_the_run_s_own(folder):
    assert folder.encoder() == {}
    folder.create(Config(), {}, {"weight": torch.ones(2)})
    assert folder.encoder()["weight"].tolist() == [1.0, 1.0]
    file = folder.path / "encoder.safetensors"
    save_file({"weight": torch.zeros(2)}, file)
    with pytest.raises(TrainingError, match="not the one that the run was started with"):
        folder.encoder()
    file.unlink()
    with pytest.raises(TrainingError, match="a file of the run is missing"):
        folder.encoder()
