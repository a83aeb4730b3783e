"""Write models and cards for the fuzzer to start from: make_model_corpus.py FOLDER [MODEL...].

They are small ones that are made here, and those whose files are given.
"""

import random
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))

import onnx
from support.models import make_card, make_domain_card, make_float16, make_model, make_network
from support.mutations import damage_card, damage_graph, small

from rgan_sdk.card import CARD_KEY
from rgan_sdk.model import HarmonizationModel

if __name__ == "__main__":
    folder = Path(sys.argv[1])
    rng = random.Random(0)
    packaged = HarmonizationModel.open("b40f-to-b70f").content
    models = [
        small(onnx.load_model_from_string(packaged)),
        make_model(make_card()),
        make_float16(make_domain_card()),
        make_network(card=make_domain_card(multiple=2)),
        *(small(onnx.load(path)) for path in sys.argv[2:]),
    ]
    for number, model in enumerate(models):
        (card,) = (prop.value for prop in model.metadata_props if prop.key == CARD_KEY)
        (folder / f"{number}.json").write_text(card)
        (folder / f"{number}.onnx").write_bytes(model.SerializeToString())
        for damaged in range(20):
            (folder / f"{number}-{damaged}-card.onnx").write_bytes(damage_card(model, rng))
            (folder / f"{number}-{damaged}-graph.onnx").write_bytes(damage_graph(model, rng))
