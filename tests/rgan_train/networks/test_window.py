import torch

from rgan_sdk.hu import HUWindow
from rgan_train.networks.window import HANDOVER, network_window, normalize


def test_the_network_sees_the_handover_at_both_ends():
    window = network_window(HUWindow(-1024.0, 1000.0))
    assert (window.lower, window.upper) == (-1024.0 - HANDOVER, 1000.0 + HANDOVER)


def test_the_window_is_mapped_to_0_and_1():
    hu = torch.tensor([-3024.0, -100.0, 0.0, 100.0, 3071.0])
    assert normalize(hu, HUWindow(-100.0, 100.0)).tolist() == [0.0, 0.0, 0.5, 1.0, 1.0]
