"""Local means are those of whole windows, also at the edges."""

import numpy as np
import torch

from rgan_train.networks.blocks import WithDetail


def test_detail_is_the_difference_to_the_mean_of_the_pixels_around():
    image = np.random.default_rng(0).uniform(0, 1, (12, 19))
    layer = WithDetail()
    found = layer(torch.from_numpy(image)[None, None])[0].numpy()
    assert (found[0] == image).all()
    for channel, size in zip(found[1:], layer.sizes, strict=True):
        reach = size // 2
        for row, column in ((0, 0), (5, 9), (11, 18), (0, 7)):
            rows = slice(max(row - reach, 0), row + reach + 1)
            columns = slice(max(column - reach, 0), column + reach + 1)
            expected = layer.gain * (image[row, column] - image[rows, columns].mean())
            assert abs(channel[row, column] - expected) < 1e-9
