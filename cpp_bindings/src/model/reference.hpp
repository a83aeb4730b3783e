// The float32 model that a model file of lower precision is compared with.
#pragma once

#include "verify.hpp"

namespace rgan {

// Return the model with a graph that computes in float32 throughout. For a float16 file that is a
// graph with the same rounded weights; an int8 file contains the float32 model it was made from.
// Throws FormatError if weights are stored in integers, so that their float32 values are lost.
[[nodiscard]] VerifiedModel to_float32(const VerifiedModel& model);

}  // namespace rgan
