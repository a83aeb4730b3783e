"""Write small CT slices in many encodings, for the fuzzer to start from: make_corpus.py FOLDER."""

import sys
import warnings
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))

from support.variants import write_variant

if __name__ == "__main__":
    warnings.filterwarnings("ignore")  # of pydicom, on odd values
    for number in range(300):
        write_variant(Path(sys.argv[1]) / f"{number}.dcm", number)
