"""A model from two groups of series of different patients."""

import shutil
from dataclasses import replace

import numpy as np
import pydicom
import pytest
from support.dicom_phantoms import uid
from support.groups import write_series
from support.kernels import chests, exponential
from support.training import train

from rgan_sdk.errors import TrainingError
from rgan_sdk.harmonizer import Harmonizer
from rgan_sdk.hu import HUWindow
from rgan_sdk.kernels import TransferRatio, as_spectra, compare_kernel, measure_kernel
from rgan_sdk.kernels.limits import Curve
from rgan_train.cli.match import describe_evidence
from rgan_train.evaluation.metrics.image_quality import psnr
from rgan_train.matching.certificate import Evidence
from rgan_train.matching.groups import MOST_SLICES, measure_group, open_group
from rgan_train.matching.match import match
from rgan_train.matching.simulated import MeasuredChange

SOFT, SHARP = exponential(3.5, 2.0), exponential(5.5, 2.0)
SPACING, COUNT = 0.8, 8
RANGE = HUWindow(-1024, 1000)


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    root = tmp_path_factory.mktemp("cohort")
    write_series(root / "soft", chests(SOFT, SPACING, COUNT, seed=1), "SOFT", 1)
    write_series(root / "sharp", chests(SHARP, 0.7, COUNT, seed=2, noise=5.0), "SHARP", 2, 0.7)
    return root


@pytest.fixture(scope="module")
def softening(cohort):
    groups = open_group("source", [cohort / "sharp"]), open_group("target", [cohort / "soft"])
    return match(*groups, cohort / "sharp-to-soft.onnx")


def test_other_patients_at_another_spacing_and_dose_give_the_right_filter(softening):
    ratio = softening.evidence.direct.ratio
    wanted = SOFT(ratio.frequency) / SHARP(ratio.frequency)
    known = ratio.frequency < 0.8 * softening.evidence.direct.nyquist
    assert np.abs(ratio.value - wanted)[known].max() < 0.06


def test_the_model_turns_one_kernel_into_the_other(softening):
    sharp, soft = (chests(mtf, 0.75, 2, seed=3) for mtf in (SHARP, SOFT))
    with Harmonizer.load(softening.exported.files["fp32"].path, engine="onnxruntime") as harmonizer:
        out = np.stack([harmonizer(hu, pixel_spacing=0.75) for hu in sharp])
    before, after = (
        np.mean([psnr(*pair, RANGE) for pair in zip(images, soft, strict=True)])
        for images in (sharp, out)
    )
    assert after > before + 8


def test_the_card_holds_the_curves_of_both_groups(softening, cohort):
    curves = softening.exported.card.curves
    assert [one.pixel_spacing for one in (*curves.source, *curves.target)] == [0.7, SPACING]
    sharp = measure_kernel(chests(SHARP, 0.75, 4, seed=3), (0.75, 0.75))
    soft = measure_kernel(chests(SOFT, 0.75, 4, seed=3), (0.75, 0.75))
    source = as_spectra(curves.source)
    assert not compare_kernel(source, sharp).is_suspect
    assert compare_kernel(source, soft).is_suspect


def test_the_card_states_what_the_source_series_are(softening):
    card = softening.exported.card
    assert card.name == "sharp-to-soft"
    assert (card.source_kernels, card.target_kernel) == (("SHARP",), "SOFT")
    assert card.manufacturers == ("Scanner Works",)
    limits = card.pixel_spacing
    assert (limits.min, limits.reference, limits.max) == pytest.approx((0.679, 0.7, 0.98))
    assert card.noise_hu is not None
    assert card.quality == ()


def test_the_card_tells_the_series_of_both_groups(softening):
    card = softening.exported.card
    assert len(card.series_seen) == 2
    assert card.has_seen(uid(1, 1))
    assert card.has_seen(uid(2, 1))


def test_frequencies_that_the_target_does_not_show_are_noted(softening):
    assert any("show nothing above 6.2 lp/cm" in note for note in softening.notes)


def test_halves_agree_and_a_group_against_itself_does_next_to_nothing(softening):
    certificate = softening.exported.card.certificate
    assert certificate.halves < 1.5
    assert certificate.source_to_itself < 1.5
    assert certificate.target_to_itself < 1.5
    assert certificate.closure is None


def test_the_command_prints_the_curve_and_what_speaks_for_it(cohort, tmp_path):
    medium = chests(exponential(4.5, 2.0), SPACING, COUNT, seed=4)
    write_series(tmp_path / "third", medium, "MEDIUM", 4)
    output = tmp_path / "model.onnx"
    folders = ("--source", cohort / "soft", "--target", cohort / "sharp")
    data = ("--data-name", "phantoms", "--data-licence", "CC0-1.0")
    done = train("match", *folders, "--third", tmp_path / "third", "-o", output, *data)
    assert done.exit_code == 0, done.output
    assert output.exists()
    assert (tmp_path / "model.certificate.png").exists()
    assert " 3 lp/cm" in done.output
    assert "by way of the third group: " in done.output


def test_a_group_with_several_kernels_is_refused_by_name(cohort):
    with pytest.raises(TrainingError, match=r"several kernels: .*SOFT \(1 series\)"):
        open_group("source", [cohort])


def test_several_kernels_taken_as_one_are_all_on_the_card(cohort, tmp_path):
    write_series(tmp_path / "a", chests(SHARP, 0.7, 3, seed=5), "SHARP3", 9, 0.7)
    source = open_group("source", [cohort / "sharp", tmp_path / "a"], mixed=True)
    target = open_group("target", [cohort / "soft"])
    card = match(source, target, tmp_path / "m.onnx").exported.card
    assert (card.name, set(card.source_kernels)) == ("sharp-to-soft", set(source.kernels))
    assert len(source.kernels) == 2
    write_series(tmp_path / "b", np.zeros((2, 64, 64)), "sharp3", 10)
    with pytest.raises(TrainingError, match="have the kernel SHARP3"):
        match(source, open_group("target", [tmp_path / "b"]), tmp_path / "m.onnx")


def test_groups_that_share_a_series_or_a_kernel(cohort, tmp_path):
    soft, sharp = open_group("source", [cohort / "soft"]), open_group("target", [cohort / "sharp"])
    third = open_group("third", [cohort / "soft"])
    with pytest.raises(TrainingError, match="is in the source and in the third group"):
        match(soft, sharp, tmp_path / "m.onnx", third=third)
    with pytest.raises(TrainingError, match="is in the source and in the target group"):
        match(soft, open_group("target", [cohort / "soft"]), tmp_path / "m.onnx")
    write_series(tmp_path / "other", np.zeros((2, 64, 64)), "soft", 5)
    with pytest.raises(TrainingError, match="there is nothing to match"):
        match(soft, open_group("target", [tmp_path / "other"]), tmp_path / "m.onnx")


@pytest.mark.parametrize("count", [1, 3])
def test_air_tells_no_kernel(cohort, tmp_path, count):
    write_series(tmp_path / "air", np.full((count, 64, 64), -1000), "AIR", 6)
    groups = open_group("source", [tmp_path / "air"]), open_group("target", [cohort / "soft"])
    with pytest.raises(TrainingError, match="the source can't tell its kernel"):
        match(*groups, tmp_path / "m.onnx")
    assert not (tmp_path / "m.onnx").exists()


def test_folders_without_a_series(cohort, tmp_path):
    with pytest.raises(TrainingError, match=r"the target group is empty: .*: no CT series"):
        open_group("target", [tmp_path])
    (note,) = open_group("target", [cohort / "soft", tmp_path]).notes
    assert note == f"{tmp_path}: no CT series"


def test_a_series_that_two_folders_hold_counts_once(cohort, tmp_path):
    shutil.copytree(cohort / "soft", tmp_path / "outer" / "inner")
    folders = [cohort / "soft", tmp_path / "outer", tmp_path / "outer" / "inner"]
    group = open_group("source", folders)
    assert sum(len(one.slices) for one in group.series) == COUNT
    assert [note.partition(": ")[0] for note in group.notes] == [*map(str, folders[1:])]


def test_a_reconstruction_that_may_not_be_linear_is_noted(tmp_path):
    folder = write_series(tmp_path / "a", np.zeros((2, 64, 64)), "SOFT", 8)
    for path in folder.iterdir():
        dataset = pydicom.dcmread(path)
        dataset.ReconstructionAlgorithm = "ITERATIVE"
        dataset.save_as(path)
    (note,) = open_group("target", [folder]).notes
    assert "the target group" in note
    assert "where that is not linear" in note


def test_a_kernel_that_is_spelled_in_two_ways_is_one(tmp_path):
    for number, kernel in enumerate(("soft", "SOFT", "SOFT")):
        write_series(tmp_path / str(number), np.zeros((2, 64, 64)), kernel, number)
    assert open_group("source", [tmp_path]).kernels == ("SOFT",)


def test_slices_from_the_middle_of_many_series_are_measured(cohort, tmp_path):
    air = np.full((1, 160, 160), -1000.0)
    slices = np.concatenate([air, chests(SOFT, SPACING, 2, seed=1)[:, :160, :160], air])
    write_series(tmp_path / "0", slices, "SOFT", 0)
    group = open_group("source", [tmp_path])
    many = replace(group, series=group.series * MOST_SLICES)
    read = [item for _, items in many.spread(MOST_SLICES) for item in items]
    middle = sum(item.position in (2, 4) for item in read)
    spectra = measure_group(many)
    assert len(spectra) == len(read) == MOST_SLICES
    assert np.count_nonzero(spectra.structure_blocks) == middle > MOST_SLICES / 3


def test_reformations_beside_plain_slices_are_left_out(cohort, tmp_path):
    kind = ["DERIVED", "SECONDARY", "MPR"]
    write_series(tmp_path / "a", np.zeros((2, 64, 64)), "SOFT", 5, ImageType=kind)
    group = open_group("source", [cohort / "soft", tmp_path / "a"])
    assert group.series == open_group("source", [cohort / "soft"]).series
    (note,) = group.notes
    assert "is left out: ImageType (0008,0008) says MPR (a reformation)" in note
    (doubt,) = open_group("source", [tmp_path / "a"]).notes
    assert "it may not show what the kernel does" in doubt


def test_files_that_cannot_be_used_are_told(cohort, tmp_path):
    write_series(tmp_path / "a", np.zeros((3, 64, 64)), "SOFT", 5)
    for path in (tmp_path / "a").iterdir():
        dataset = pydicom.dcmread(path)
        del dataset.SeriesInstanceUID
        dataset.save_as(path)
    (note,) = open_group("source", [cohort / "soft", tmp_path / "a"]).notes
    assert note.startswith(f"left out: {tmp_path / 'a'}")
    assert "and 2 more: SeriesInstanceUID" in note


def test_pixels_that_are_not_square_are_left_out(cohort, tmp_path):
    write_series(tmp_path / "a", np.zeros((2, 64, 64)), "SOFT", 5)
    for path in (tmp_path / "a").iterdir():
        dataset = pydicom.dcmread(path)
        dataset.PixelSpacing = [0.6, 1.2]
        dataset.save_as(path)
    (note,) = open_group("source", [cohort / "soft", tmp_path / "a"]).notes
    assert "is left out: PixelSpacing (0028,0030) is 0.6 and 1.2 mm" in note
    with pytest.raises(TrainingError, match=r"the source group is empty: .*not square"):
        open_group("source", [tmp_path / "a"])


def test_a_kernel_that_no_header_states(tmp_path):
    write_series(tmp_path / "a", np.zeros((2, 64, 64)), "", 7)
    with pytest.raises(TrainingError, match="states no ConvolutionKernel"):
        open_group("source", [tmp_path / "a"])


def test_the_command_tells_the_gain_that_the_model_has():
    frequency = np.array([0.0, 1.0, 2.0, 3.0])
    ratio = Curve(frequency, np.array([1.0, 1.0, 4.0, 30.0]), np.ones(4), np.full(4, 50.0))
    transfer = TransferRatio(ratio, np.array([1.0, 1.0, 1.0, 0.5]), 3.5, 0.1)
    _, *lines, reason = describe_evidence(Evidence(transfer, (None, None), None, None))[:5]
    assert [line.partition("; ")[2] for line in lines] == ["", "", "the model has 5.000"]
    assert "never above 10" in reason
    change = str(MeasuredChange(transfer, "SHARP"))
    assert "multiplied by 1.000 4.000 5.000 at 1, 2" in change
