// RLE Lossless (PS3.5 annex G): one frame, 8 or 16 bits per pixel.
#pragma once

#include <cstdint>
#include <span>

#include "rgan/element.hpp"
#include "rgan/problem.hpp"

namespace rgan {

// Find the one fragment of an encapsulated frame whose pixel data element is `element`; `at` is
// set to where the data set goes on behind it.
Verdict find_fragment(Bytes file, const Element& element, Bytes& fragment,
                      std::size_t& at) noexcept;

// Decode a fragment into cells of `cell_size` bytes (1 or 2), little endian. `cells` has the size
// of the whole frame, and every byte of it is written, or the verdict is `compressed_data`.
Verdict decode_rle(Bytes fragment, int cell_size, std::span<std::uint8_t> cells) noexcept;

}  // namespace rgan
