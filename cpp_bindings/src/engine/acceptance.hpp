// The self-test of engines: their output is compared with that of the float32 model.
//
// ONNX Runtime on the CPU in float32 is the reference. Any other runtime, device or precision first
// harmonizes a synthetic slice, and is refused if it deviates more than the model's card allows.
#pragma once

#include <memory>

#include "engine.hpp"

namespace rgan {

// Test an engine on a slice at the card's reference pixel spacing and at the ends of its range.
// `reference` computes what it is compared with. Throws Error (RGAN_ACCURACY) if it deviates too
// much.
void accept(Engine& engine, std::shared_ptr<const Backend> reference);

}  // namespace rgan
