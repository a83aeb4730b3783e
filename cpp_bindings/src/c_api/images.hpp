// Checks of what the functions that harmonize are given.
#pragma once

#include <cstddef>

#include "../model/card.hpp"

namespace rgan::c_api {

// Two stacks of slices in the caller's memory, without gaps.
struct Images {
  const char* name = "";  // of `from`, in messages
  const void* from = nullptr;
  const void* out = nullptr;
  std::size_t slices = 0;
  std::size_t rows = 0;
  std::size_t columns = 0;
  std::size_t pixel_bytes = 0;
};

// Throw Error (RGAN_INVALID_ARGUMENT) unless the bytes can be counted, and both are the same memory
// or lie apart.
void check_images(const Images& images);

// Throw Error (RGAN_INVALID_ARGUMENT) unless this can be a spacing in mm, and RGAN_OUTSIDE_DOMAIN
// if the model is not made for it.
void check_spacing(const Card& card, double pixel_spacing, bool accepts_any);

}  // namespace rgan::c_api
