"""Write small CT slices in many encodings, for the fuzzer to start from: make_corpus.py FOLDER."""

import sys
import warnings
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))

from pydicom.uid import HTJ2KLossless, JPEG2000Lossless, JPEGLosslessSV1, JPEGLSLossless
from support.dicom_phantoms import stored_values, write_ct
from support.variants import write_variant

ENCODED = (JPEGLosslessSV1, JPEGLSLossless, JPEG2000Lossless, HTJ2KLossless)

if __name__ == "__main__":
    warnings.filterwarnings("ignore")  # pydicom warns of odd values
    folder = Path(sys.argv[1])
    for number in range(300):
        write_variant(folder / f"{number}.dcm", number)
    for syntax in ENCODED:
        write_ct(folder / f"{syntax}.dcm", stored_values(size=64), syntax=syntax)
