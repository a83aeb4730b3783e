"""Put an exported model into the package, with what it was measured to do on its card.

    python benchmarks/quality/package_model.py EXPORTED.onnx \
        --measured "training slices=IN.json" --measured "held-out slices=TEST.json" ...

The JSON files come from `written_files.py`. The figures of the export stay on the card; the model
goes to `rgan_sdk/models/NAME.onnx` and its hash into the manifest.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from dataclasses import replace
from pathlib import Path

import onnx

from rgan_sdk.card import CARD_KEY, Quality
from rgan_sdk.model import HarmonizationModel

MODELS = Path(__file__).parents[2] / "rgan_sdk" / "models"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("exported", type=Path)
    parser.add_argument("--measured", type=lambda text: text.split("=", 1), action="append")
    options = parser.parse_args()
    card = HarmonizationModel.open(options.exported).card
    figures = [figure for name, path in options.measured for figure in read_figures(name, path)]
    card = replace(card, quality=(*figures, *card.quality))
    model = onnx.load(options.exported)
    onnx.helper.set_model_props(model, {CARD_KEY: card.to_json()})
    content = model.SerializeToString(deterministic=True)
    (MODELS / f"{card.name}.onnx").write_bytes(content)
    manifest_path = MODELS / "manifest.json"
    manifest = json.loads(manifest_path.read_text())
    manifest[card.name] = hashlib.sha256(content).hexdigest()
    manifest_path.write_text(json.dumps(dict(sorted(manifest.items())), indent=1) + "\n")
    opened = HarmonizationModel.open(card.name)
    print(f"{card.name}: {len(opened.content)} bytes, sha256 {opened.sha256}")


def read_figures(name: str, path: str) -> list[Quality]:
    """Return PSNR and SSIM of the input and of the one model in a file of measurements."""
    measured = json.loads(Path(path).read_text())
    methods = dict(measured["methods"])
    before = methods.pop("input")
    (after,) = methods.values()
    return [
        Quality(name, len(before["slices"]), label, round(before[key], 4), round(after[key], 4))
        for label, key in (("PSNR, dB", "psnr_db"), ("SSIM", "ssim"))
    ]


if __name__ == "__main__":
    main()
