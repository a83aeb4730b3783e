// A synthetic slice of a thorax, for the self-test of engines.
#pragma once

#include <cstddef>
#include <vector>

namespace rgan {

// Return size x size HU: the same ones each time. With tissue from lung to bone, noise, padding and
// a little metal.
[[nodiscard]] std::vector<float> make_test_slice(std::size_t size);

}  // namespace rgan
