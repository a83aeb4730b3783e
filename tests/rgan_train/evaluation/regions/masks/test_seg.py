import warnings

import numpy as np
import pytest
from highdicom import AlgorithmIdentificationSequence
from highdicom.seg import Segmentation, SegmentDescription
from pydicom import Dataset, dcmread
from pydicom.sr.codedict import codes
from pydicom.uid import RLELossless
from support.dicom_phantoms import uid, write_series
from support.requirements import require_data

from rgan_sdk.dicom.inventory import find_series
from rgan_sdk.errors import ConfigurationError
from rgan_train.evaluation.regions.masks.mask import StructureChoice
from rgan_train.evaluation.regions.masks.read import empty_names, read_masks

SLICES, ROWS, COLUMNS = 4, 7, 9  # 63 pixels: no frame of bits but the first begins at a byte


def write_scan(folder, slices=SLICES, **attributes):
    stored = np.zeros((ROWS, COLUMNS), np.uint16)
    own = {"stored": stored, "PixelSpacing": [0.5, 0.8], "PatientName": "A^B"}
    return write_series(folder, slices, **own | attributes)


@pytest.fixture(scope="module")
def scan(tmp_path_factory):
    """A series, and its data sets in the order of ``Series.slices``."""
    folder = tmp_path_factory.mktemp("ct")
    write_scan(folder)
    (series,) = find_series(folder).series
    return series, [dcmread(file.path) for file in series.slices]


def segmentation(images, pixels, kind="BINARY", names=("Liver", "Lesion"), **options):
    """Make a segmentation of images, in their order, with highdicom."""
    algorithm = AlgorithmIdentificationSequence("a", codes.DCM.ArtificialIntelligence, "1")
    segments = [
        SegmentDescription(
            segment_number=number,
            segment_label=name,
            segmented_property_category=codes.SCT.Organ,
            segmented_property_type=codes.SCT.Liver,
            algorithm_type="AUTOMATIC",
            algorithm_identification=algorithm,
        )
        for number, name in enumerate(names, start=1)
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return Segmentation(
            source_images=images,
            pixel_array=pixels,
            segmentation_type=kind,
            segment_descriptions=segments,
            series_instance_uid=uid(6),
            series_number=6,
            sop_instance_uid=uid(6, 1),
            instance_number=1,
            manufacturer="Test",
            manufacturer_model_name="Test",
            software_versions="1",
            device_serial_number="1",
            **options,
        )


def write(path, dataset):
    dataset.save_as(path)
    return path


def overlapping(seed=0):
    """Return two segments, ``[N, H, W, 2]``; the second has no pixels on the first slice."""
    pixels = np.random.default_rng(seed).random((SLICES, ROWS, COLUMNS, 2)) < 0.4
    pixels[0, ..., 1] = False
    return pixels.astype(np.uint8)


@pytest.mark.parametrize("order", [[0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1]])
def test_frames_go_where_they_lie(scan, tmp_path, order):
    series, images = scan
    pixels = overlapping()
    seg = segmentation([images[i] for i in order], pixels[order])
    masks = read_masks(write(tmp_path / "a.dcm", seg), series)
    assert [mask.name for mask in masks] == ["Liver", "Lesion"]
    for segment, mask in enumerate(masks):
        np.testing.assert_array_equal(mask.voxels, pixels[..., segment] == 1)


def test_frames_in_any_order(scan, tmp_path):
    series, images = scan
    pixels = overlapping()
    seg = segmentation(images, pixels, "FRACTIONAL", max_fractional_value=1)
    groups = list(seg.PerFrameFunctionalGroupsSequence)
    order = np.random.default_rng(1).permutation(len(groups))
    seg.PerFrameFunctionalGroupsSequence = [groups[i] for i in order]
    size = ROWS * COLUMNS
    frames = [seg.PixelData[i * size : (i + 1) * size] for i in range(len(groups))]
    content = b"".join(frames[i] for i in order)
    seg.PixelData = content + b"\0" * (len(content) % 2)
    for segment, mask in enumerate(read_masks(write(tmp_path / "a.dcm", seg), series)):
        np.testing.assert_array_equal(mask.voxels, pixels[..., segment] == 1)


def test_a_fraction_counts_from_one_half(scan, tmp_path):
    series, images = scan
    fractions = np.random.default_rng(0).integers(0, 255, (SLICES, ROWS, COLUMNS)) / 254
    fractions[0, 0, :3] = 126 / 254, 127 / 254, 1
    seg = segmentation(images, fractions, "FRACTIONAL", ["Liver"], max_fractional_value=254)
    (mask,) = read_masks(write(tmp_path / "a.dcm", seg), series)
    np.testing.assert_array_equal(mask.voxels, fractions >= 0.5)
    assert mask.voxels[0, 0, :3].tolist() == [False, True, True]


@pytest.mark.parametrize("padding", [0, None])
def test_a_label_map_without_its_background(scan, tmp_path, padding):
    series, images = scan
    pixels = np.random.default_rng(0).integers(0, 3, (SLICES, ROWS, COLUMNS)).astype(np.uint8)
    seg = segmentation(images, pixels, "LABELMAP")
    if padding is None:
        del seg.PixelPaddingValue
    masks = read_masks(write(tmp_path / "a.dcm", seg), series)
    assert [mask.name for mask in masks] == ["Liver", "Lesion"]
    for segment, mask in enumerate(masks, start=1):
        np.testing.assert_array_equal(mask.voxels, pixels == segment)


def test_another_number_may_be_the_background_of_a_label_map(scan, tmp_path):
    series, images = scan
    pixels = np.random.default_rng(0).integers(1, 3, (SLICES, ROWS, COLUMNS)).astype(np.uint8)
    seg = segmentation(images, pixels, "LABELMAP")
    seg.PixelPaddingValue = 1
    (mask,) = read_masks(write(tmp_path / "a.dcm", seg), series)
    assert mask.name == "Lesion"
    np.testing.assert_array_equal(mask.voxels, pixels == 2)


def test_compressed_frames(scan, tmp_path):
    series, images = scan
    pixels = np.random.default_rng(0).integers(0, 3, (SLICES, ROWS, COLUMNS)).astype(np.uint8)
    seg = segmentation(images, pixels, "LABELMAP", transfer_syntax_uid=RLELossless)
    (_, mask) = read_masks(write(tmp_path / "a.dcm", seg), series)
    np.testing.assert_array_equal(mask.voxels, pixels == 2)


def test_some_slices_and_an_empty_segment(scan, tmp_path):
    series, images = scan
    pixels = np.zeros((2, ROWS, COLUMNS, 2), np.uint8)
    pixels[:, 2:4, 3:7, 0] = 1
    seg = segmentation(images[1:3], pixels, omit_empty_frames=True)
    masks = read_masks(write(tmp_path / "a.dcm", seg), series)
    assert np.argwhere(masks[0].voxels)[[0, -1]].tolist() == [[1, 2, 3], [2, 3, 6]]
    assert empty_names(masks) == ["Lesion"]


@pytest.mark.parametrize(
    ("wanted", "names"),
    [("lung", ["Lung", "Lung (2)"]), ("Lung (2)", ["Lung (2)"]), ("Heart", ["Heart"])],
)
def test_a_name_that_segments_share_takes_them_all(scan, tmp_path, wanted, names):
    series, images = scan
    pixels = np.zeros((SLICES, ROWS, COLUMNS, 3), np.uint8)
    pixels[:, 1:3, 1:4, 0] = pixels[:, 4:6, 5:8, 1] = pixels[:, 1:3, 5:8, 2] = 1
    path = write(tmp_path / "a.dcm", segmentation(images, pixels, names=("Lung", "Lung", "Heart")))
    choice = StructureChoice([wanted])
    masks = read_masks(path, series, choice)
    choice.check_found()
    assert [mask.name for mask in masks] == names
    segments = {"Lung": 0, "Lung (2)": 1, "Heart": 2}
    for mask in masks:
        np.testing.assert_array_equal(mask.voxels, pixels[..., segments[mask.name]] == 1)


def test_a_single_frame(scan, tmp_path):
    series, images = scan
    pixels = overlapping()[2:3, ..., 0]
    seg = segmentation(images[2:3], pixels, names=["Liver"])
    assert seg.NumberOfFrames == 1
    (mask,) = read_masks(write(tmp_path / "a.dcm", seg), series)
    np.testing.assert_array_equal(mask.voxels[2:3], pixels == 1)
    assert not mask.voxels[[0, 1, 3]].any()


def test_two_frames_of_a_segment_on_one_slice_count_together(scan, tmp_path):
    series, images = scan
    pixels = overlapping()[..., 0]
    seg = segmentation(images, pixels, names=["Liver"])
    for groups in seg.PerFrameFunctionalGroupsSequence:
        del groups.DerivationImageSequence
        groups.PlanePositionSequence[0].ImagePositionPatient = [-10, -20, -4]
    (mask,) = read_masks(write(tmp_path / "a.dcm", seg), series)
    np.testing.assert_array_equal(mask.voxels[1], pixels.any(axis=0))
    assert not mask.voxels[[0, 2, 3]].any()


def test_made_on_one_kernel_it_is_good_for_the_other(scan, tmp_path):
    _, images = scan
    write_scan(tmp_path / "ct", series=2, ConvolutionKernel="B70f")
    (sharp,) = find_series(tmp_path / "ct").series
    pixels = overlapping()
    (mask, _) = read_masks(write(tmp_path / "a.dcm", segmentation(images, pixels)), sharp)
    np.testing.assert_array_equal(mask.voxels, pixels[..., 0] == 1)


def test_the_image_tells_apart_slices_at_one_position(tmp_path):
    for phase in (1, 2):
        write_scan(tmp_path / "ct", 2, series=phase, SeriesInstanceUID=uid(1, 1))
    (series,) = find_series(tmp_path / "ct").series
    own = [i for i, file in enumerate(series.slices) if file.sop_instance_uid.startswith(uid(1, 2))]
    images = [dcmread(series.slices[i].path) for i in own]
    seg = segmentation(images, overlapping()[2:])
    (mask, _) = read_masks(write(tmp_path / "a.dcm", seg), series)
    assert np.flatnonzero(mask.voxels.any(axis=(1, 2))).tolist() == own
    for groups in seg.PerFrameFunctionalGroupsSequence:
        del groups.DerivationImageSequence
    with pytest.raises(ConfigurationError, match="the series has 2 slices at"):
        read_masks(write(tmp_path / "a.dcm", seg), series)


def first_group(seg, keyword, **attributes):
    """Change a functional group of the first frame, or the one that all frames share."""
    groups = seg.PerFrameFunctionalGroupsSequence[0]
    if keyword not in groups:
        groups = seg.SharedFunctionalGroupsSequence[0]
    for name, value in attributes.items():
        setattr(groups[keyword][0], name, value)


@pytest.mark.parametrize(
    ("keyword", "attribute", "value", "reason"),
    [
        ("PlanePosition", "ImagePositionPatient", [-10, -20, -1], "has no slice; the nearest, "),
        ("PlanePosition", "ImagePositionPatient", [-9.6, -20, 0], "position of the first pixel"),
        (
            "PlanePosition",
            "ImagePositionPatient",
            [-10, -20, -2],
            "refers to slice 3 of the series",
        ),
        ("PixelMeasures", "PixelSpacing", [0.5, 0.9], r"pixel spacing is 0\.5\\0\.9, that of"),
        ("PlaneOrientation", "ImageOrientationPatient", [0, 1, 0, 1, 0, 0], "orientation is 0"),
        ("PlanePosition", "ImagePositionPatient", None, "ImagePositionPatient is missing"),
    ],
)
def test_another_grid(scan, tmp_path, keyword, attribute, value, reason):
    series, images = scan
    seg = segmentation(images, overlapping())
    first_group(seg, f"{keyword}Sequence", **{attribute: value})
    path = write(tmp_path / "a.dcm", seg)
    with pytest.raises(ConfigurationError, match=reason) as refused:
        read_masks(path, series)
    assert str(refused.value).startswith(f"{path}: ")


def test_another_frame_of_reference(scan, tmp_path):
    series, images = scan
    seg = segmentation(images, overlapping())
    seg.FrameOfReferenceUID = "1.2.3"
    with pytest.raises(ConfigurationError, match=r"FrameOfReferenceUID is 1\.2\.3, that of"):
        read_masks(write(tmp_path / "a.dcm", seg), series)


def test_no_telling_where_it_lies(scan, tmp_path):
    series, images = scan
    seg = segmentation(images, overlapping())
    for groups in seg.PerFrameFunctionalGroupsSequence:
        del groups.PlanePositionSequence
    with pytest.raises(ConfigurationError, match="a frame has no PlanePositionSequence"):
        read_masks(write(tmp_path / "a.dcm", seg), series)


def test_more_frames_than_places_for_them(scan, tmp_path):
    series, images = scan
    seg = segmentation(images, overlapping())
    seg.PerFrameFunctionalGroupsSequence = seg.PerFrameFunctionalGroupsSequence[:-1]
    with pytest.raises(ConfigurationError, match="malformed DICOM"):
        read_masks(write(tmp_path / "a.dcm", seg), series)


def real_series(name, tmp_path):
    """Copy the images of an example of dcmqi, and set their unspecified RescaleType to HU."""
    folder = require_data("odd_and_malformed") / "QIICR+dcmqi"
    for path in folder.glob(f"data__segmentations__{name}__image__*.dcm"):
        dataset: Dataset = dcmread(path)
        dataset.RescaleType = "HU"
        dataset.save_as(tmp_path / path.name)
    return folder, find_series(tmp_path).series[0]


def test_a_segmentation_of_dcmqi_has_frames_that_do_not_begin_at_bytes(tmp_path):
    folder, series = real_series("23x38x3", tmp_path)
    path = folder / "data__segmentations__23x38x3__seg__label.seg"
    (mask,) = read_masks(path, series)
    assert mask.name == "Liver"
    assert series.slices[1].position == pytest.approx(-175.25)
    np.testing.assert_array_equal(mask.voxels, dcmread(path).pixel_array == 1)


@pytest.mark.parametrize("name", ["sparse-labelmap-noppv", "sparse-labelmap-ppv5"])
def test_label_maps_of_dcmqi_without_the_slice_in_the_middle(tmp_path, name):
    folder, series = real_series("24x38x3", tmp_path)
    path = folder / f"data__segmentations__{name}.dcm"
    (mask,) = read_masks(path, series)
    assert mask.name == "Liver"
    np.testing.assert_array_equal(mask.voxels[[0, 2]], dcmread(path).pixel_array == 1)
    assert not mask.voxels[1].any()


def test_a_slide_is_no_ct(scan):
    folder = require_data("odd_and_malformed") / "ImagingDataCommons+highdicom"
    for path in folder.glob("*seg_image*.dcm"):
        with pytest.raises(ConfigurationError, match=r"FrameOfReferenceUID|matrix|a frame has no"):
            read_masks(path, scan[0])
