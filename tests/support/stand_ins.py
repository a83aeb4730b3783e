"""Small stand-ins for the scans, models and lists that examples and documentation name."""

from functools import cache

import numpy as np

from rgan_sdk.dicom.inventory import find_series
from rgan_sdk.dicom.synthetic.sample import write_sample_series
from rgan_train.evaluation.features.largest_slice import LargestSliceExtractor
from support.cohorts import write_group
from support.dicom_phantoms import uid
from support.examples import run
from support.lungs import make_chest, write_chest
from support.models import make_series_card, write_model
from support.small import FEATURES, smaller
from support.stable import GROUPS, write_stable_features
from support.structures import write_label_map, write_segmentation
from support.training import write_pair_of_scans
from support.training import write_scan as write_one
from support.windows import write_windows

DIRECTION = """[data]
source_kernel = "B40f"
target_kernel = "B70f"
"""

IN_A_HURRY = """[generator]
encoder = "none"
widths = [4, 8]
[training]
epochs = 1
steps_per_epoch = 2
crop = 32
"""


a_chest = cache(make_chest)


def scans(path):
    """Write a sample of each kernel of the packaged models."""
    for kernel in ("B40f", "B70f"):
        write_sample_series(path / kernel, kernel, slices=12, size=64)


def one_series(kernel="B40f", slices=4):
    return lambda path: write_sample_series(path, kernel, slices=slices, size=64, seed=9)


def model(source="B40f", target="B70f"):
    card = make_series_card(source_kernels=(source,), target_kernel=target)
    return lambda path: write_model(path, card)


def pair_of_scans(path):
    write_pair_of_scans(path, slices=16, size=96)


def pairs(path):
    """Write a list of pairs, and the scans beside it."""
    pair_of_scans(path.with_name("paired"))
    done = run("rgan-train pair paired -o pairs.csv")
    assert done.exit_code == 0, done.output


def trained(path):
    pairs(path.parents[1] / "pairs.csv")
    direction(path.parents[1] / "my.toml")
    example = f"rgan-train fit pairs.csv -o {path} --config my.toml"
    done = run(example, smaller(example.split()[1:]))
    assert done.exit_code == 0, done.output


def direction(path):
    path.write_text(DIRECTION)


def small_settings(path):
    """Write settings of a user who is in a hurry."""
    path.write_text(DIRECTION + IN_A_HURRY)


def run_with_windows(path):
    trained(path)
    write_windows(path / "windows.jsonl")


def group(mtf, kernel, number, patients=1, slices=6):
    return lambda path: write_group(path, mtf, kernel, number, patients, slices)


def chest(path):
    write_chest(path, a_chest()[0])


def case(number, kernel, **attributes):
    """Return what writes the chest of another patient."""
    own = {"PatientID": f"patient {number}", "StudyInstanceUID": uid(number), **attributes}
    series = 10 * number + len(own)
    return lambda path: write_chest(path, a_chest()[0], kernel, series, **own)


def whole_case(number):
    def write(path):
        case(number, "B40f")(path / "B40f")
        case(number, "B40f", **HARMONIZED)(path / "harmonized")
        case(number, "B70f", SeriesNumber=9, SeriesDescription="CHEST")(path / "B70f")

    return write


def segmentation(scan):
    return lambda path: write_segmentation(path, "Tumour", series_of(scan))


def few_features(path):
    path.write_text(FEATURES)


HARMONIZED = {"SeriesDescription": "CHEST RGAN>B70f"}


def stable_features(path):
    """Write a list of the features to keep, and beside it the parameter file that they are of."""
    few_features(path.with_name("few.yaml"))
    sha256 = LargestSliceExtractor(path.with_name("few.yaml")).sha256
    write_stable_features(path, sha256, {"original_firstorder_Mean": GROUPS})


def chest_with_both_kernels(path):
    for series, kernel in enumerate(("B40f", "B70f"), start=1):
        write_chest(path / kernel, a_chest()[0], kernel, series)


def lungs(*labels):
    """Return what writes the lungs, with the labels one below the other."""

    def write(path):
        mask = a_chest()[1]
        parts = np.array_split(np.arange(mask.shape[1]), len(labels))
        found = np.zeros(mask.shape, np.uint8)
        for label, rows in zip(labels, parts, strict=True):
            found[:, rows] = np.where(mask[:, rows], label, 0)
        write_label_map(path, found, series_of("scan"))

    return write


def table(path):
    """Write features of twelve cases."""
    random = np.random.default_rng(0)
    lines = ["case,label,variant,region,original_firstorder_Mean,original_glcm_Contrast"]
    for number in range(12):
        label = ("benign", "malignant")[number % 2]
        for variant in ("source", "harmonized", "target"):
            first, second = random.normal(size=2)
            lines.append(f"n{number},{label},{variant},GTV,{first},{second}")
    path.write_text("\n".join(lines) + "\n")


def large_pair(path):
    for series, kernel in enumerate(("B40f", "B70f"), start=1):
        write_one(path / kernel, kernel, series=series, slices=16, size=352)


def series_of(folder):
    return find_series(folder).series[0]
