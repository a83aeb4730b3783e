// Makes the pixel spacing a constant of a model's graph, so that a runtime folds the weights.
#pragma once

#include <cstdint>
#include <vector>

#include "rgan/element.hpp"

namespace rgan {

// Return the bytes of a model of format 2 for one pixel spacing in mm, with `hu` as only input
// (docs/model-format.md, "Binding the spacing").
[[nodiscard]] std::vector<std::uint8_t> bind_pixel_spacing(Bytes content, float pixel_spacing);

}  // namespace rgan
