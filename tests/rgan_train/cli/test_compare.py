"""``rgan-train compare``: from folders and model files to a figure, and the refusals."""

import subprocess
import sys

import pytest
from support.boxes import write_boxes
from support.dicom_phantoms import uid
from support.models import make_card, make_domain_card, make_series_card, write_model
from support.training import train, write_scan

from rgan_sdk.card import SpacingRange


@pytest.fixture
def pair(scans):
    return scans / "1-B40f", scans / "1-B70f"


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_model(tmp_path_factory.mktemp("model") / "blur.onnx")


def compare(pair, folder, *arguments):
    return train("compare", *pair, "--slice", 3, "-o", folder / "case.png", *arguments)


@pytest.mark.parametrize(
    ("region", "shown"),
    [
        ([], "box x 16 to 48, y 16 to 48"),
        (["--roi", "4,8,20,10"], "box x 4 to 24, y 8 to 18"),
    ],
)
def test_a_figure(pair, model, tmp_path, region, shown):
    models = ["--model", model, "--model", f"mine={model}"]
    done = compare(pair, tmp_path, *models, *region, "--caption", "CC0")
    assert done.exit_code == 0, done.output
    assert f"slice 3, {shown}" in done.output
    assert (tmp_path / "case.png").read_bytes().startswith(b"\x89PNG")


def test_what_is_drawn(pair, model, tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr("rgan_train.evaluation.figures.case_study.draw_case_study", drawn.append)
    monkeypatch.setattr("rgan_train.evaluation.figures.save.save_figure", lambda figure, path: None)
    models = ["--model", model, "--model", f"a=b={model}"]
    assert compare(pair, tmp_path, *models, "--window", "-160,240").exit_code == 0
    (study,) = drawn
    assert list(study.images) == ["source (B40f)", "blur", "a=b"]
    assert study.target[0] == "target (B70f)"
    assert (study.display.lower, study.display.upper) == (-160, 240)
    source, blurred, _ = study.images.values()
    assert abs(source[32, 32] - 70) < 200  # the fourth slice from below: 40 + 3 * 10 HU
    assert blurred[8:-8, 8:-8].std() < source[8:-8, 8:-8].std()


def test_a_slice_outside_the_card_is_named_in_the_figure_too(pair, tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr("rgan_train.evaluation.figures.case_study.draw_case_study", drawn.append)
    monkeypatch.setattr("rgan_train.evaluation.figures.save.save_figure", lambda figure, path: None)
    coarse = SpacingRange(0.8, 0.9, 0.85)
    outside = write_model(tmp_path / "coarse.onnx", make_domain_card(pixel_spacing=coarse))
    inside = write_model(tmp_path / "fits.onnx", make_series_card())
    models = ["--model", outside, "--model", inside, "--caption", "CC0."]
    done = compare(pair, tmp_path, *models)
    assert done.exit_code == 0, done.output
    note = "coarse: the pixel spacing is 0.7 mm on 1 of 1 slices, and the model is made for 0.8"
    assert f"note: {note}" in done.output
    assert drawn[0].caption.startswith(f"CC0. Note: {note}")
    assert "fits:" not in done.output + drawn[0].caption


def test_boxes_of_both_slices(pair, model, tmp_path):
    for series, corners in ((1, (10, 20, 30, 40)), (2, (12, 18, 30, 42))):
        write_boxes(tmp_path / f"{uid(1, 1, series, 4)}.xml", corners)
    done = compare(pair, tmp_path, "--model", model, "--box", tmp_path)
    assert done.exit_code == 0, done.output
    assert "box x 10 to 30, y 18 to 42" in done.output


@pytest.mark.parametrize(
    ("arguments", "code", "reason"),
    [
        (["--roi", "50,50,20,20"], 1, "does not lie inside the slice of 64x64"),
        (["--roi", "1,2,3"], 2, "is not of the form X,Y,WIDTH,HEIGHT"),
        (["--window", "a,b"], 2, "is not of the form LOWER,UPPER"),
        (["--window", "800,-800"], 1, "is empty"),
        (["--roi", "1,2,3,4", "--box", "."], 2, "not both"),
        (["--slice", "12"], 1, "no slice 12, only 0 to 11"),
        (["--model", "nowhere.onnx"], 1, "no such model file"),
        (["--model", "lr=0.1/nowhere.onnx"], 1, "lr=0.1/nowhere.onnx: no such model file"),
    ],
)
def test_refusals(pair, model, tmp_path, arguments, code, reason):
    done = compare(pair, tmp_path, "--model", model, *arguments)
    assert done.exit_code == code
    assert reason in done.stderr
    assert not (tmp_path / "case.png").exists()


def test_a_file_with_an_equals_sign(pair, model, tmp_path):
    path = tmp_path / "epoch=3-step=100.onnx"
    path.write_bytes(model.read_bytes())
    done = compare(pair, tmp_path, "--model", path, "--model", f"mine={path}")
    assert done.exit_code == 0, done.output


def test_a_name_given_twice(pair, model, tmp_path):
    done = compare(pair, tmp_path, "--model", model, "--model", model)
    assert done.exit_code == 1
    assert "two models would be called 'blur'" in done.stderr


def test_a_name_that_the_source_has(pair, model, tmp_path):
    done = compare(pair, tmp_path, "--model", f"source (B40f)={model}")
    assert done.exit_code == 1
    assert "two columns would be called 'source (B40f)'" in done.stderr


def test_two_files_with_cards_of_one_name(pair, model, tmp_path):
    other = tmp_path / "other.onnx"
    other.write_bytes(model.read_bytes())
    done = compare(pair, tmp_path, "--model", model, "--model", other)
    assert done.exit_code == 0, done.output


@pytest.mark.parametrize(
    ("kernels", "reason"),
    [
        ({"source_kernels": ("Br40",)}, "is for Br40, and the source is B40f"),
        ({"target_kernel": "B30f"}, "harmonizes to B30f, and the target is B70f"),
    ],
)
def test_a_model_for_another_kernel(pair, tmp_path, kernels, reason):
    other = write_model(tmp_path / "other.onnx", make_card(**kernels))
    done = compare(pair, tmp_path, "--model", other)
    assert done.exit_code == 1
    assert reason in done.stderr


def test_two_scans_are_no_pair(pair, model, tmp_path):
    write_scan(tmp_path / "other", "B70f", number=2, slices=12)
    done = compare((pair[0], tmp_path / "other"), tmp_path, "--model", model)
    assert done.exit_code == 1
    assert "are no pair: different frames of reference" in done.stderr


def test_one_kernel_is_no_pair(pair, model, tmp_path):
    done = compare((pair[0], pair[0]), tmp_path, "--model", model)
    assert done.exit_code == 1
    assert "are no pair: both have kernel B40f" in done.stderr


def test_two_studies_are_no_pair(pair, model, tmp_path):
    write_scan(tmp_path / "other", "B70f", series=2, slices=12, StudyInstanceUID="1.2.3")
    done = compare((pair[0], tmp_path / "other"), tmp_path, "--model", model)
    assert done.exit_code == 1
    assert "are no pair: different studies" in done.stderr


def test_a_folder_holds_one_series(scans, pair, model, tmp_path):
    done = compare((scans, pair[1]), tmp_path, "--model", model)
    assert done.exit_code == 1
    assert "2 CT series; give a folder that holds exactly one" in done.stderr
    (tmp_path / "a").mkdir()
    (tmp_path / "a/notes.txt").write_text("no image")
    done = compare((tmp_path / "a", pair[1]), tmp_path, "--model", model)
    assert "no CT series (1 of 1 files: not DICOM)" in done.stderr


def test_a_series_that_cannot_be_used(pair, model, tmp_path):
    write_scan(tmp_path / "bad", "B40f", slices=12, RescaleSlope=None)
    done = compare((tmp_path / "bad", pair[1]), tmp_path, "--model", model)
    assert done.exit_code == 1
    assert "RescaleSlope" in done.stderr
    assert "CANARY" not in done.output


def test_it_needs_no_torch():
    code = (
        "import sys, rgan_train.cli.compare, rgan_train.cli.windows\n"
        "from rgan_train.evaluation.figures import case_study, save, case_slices, window_log\n"
        "from rgan_train.evaluation.figures import window_plot\n"
        "from rgan_train.evaluation.regions import boxes\n"
        "assert not {'torch', 'matplotlib', 'pydicom'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
