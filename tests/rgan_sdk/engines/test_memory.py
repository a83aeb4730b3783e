"""How many slices fit into the memory of a device."""

import numpy as np
from onnx import TensorProto, helper, numpy_helper
from support.models import make_model

from rgan_sdk.engines.memory import bytes_per_slice, slices_that_fit

PLANE = 512 * 512 * 4


def test_what_is_alive_at_one_time_is_counted():
    kernel = numpy_helper.from_array(np.zeros((64, 1, 3, 3), np.float32), "k")
    nodes = [
        helper.make_node("Conv", ["hu", "k"], ["wide"], pads=[1] * 4),
        helper.make_node("Relu", ["wide"], ["also_wide"]),
        helper.make_node("MaxPool", ["also_wide"], ["small"], kernel_shape=[2, 2], strides=[2, 2]),
    ]
    dims = ["batch", 1, "height", "width"]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("hu", TensorProto.FLOAT, dims)],
        [helper.make_tensor_value_info("small", TensorProto.FLOAT, None)],
        [kernel],
    )
    content = helper.make_model(graph).SerializeToString()
    # The input, which stays to the first convolution, and then two images of 64 channels.
    assert bytes_per_slice(content) == 2 * 64 * PLANE


def test_batches_are_powers_of_two_within_limits():
    content = make_model().SerializeToString()
    each = bytes_per_slice(content)
    assert slices_that_fit(content, 0) == 1
    assert slices_that_fit(content, 2 * each * 7) == 4
    assert slices_that_fit(content, 2 * each * 8) == 8
    assert slices_that_fit(content, 10**15) == 32
