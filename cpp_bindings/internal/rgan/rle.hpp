// RLE Lossless (PS3.5 annex G): one frame of 8 or 16 bits per pixel.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "rgan/element.hpp"
#include "rgan/status.hpp"

namespace rgan {

// Find the only fragment of an encapsulated frame (PS3.5 A.4). `element` is its pixel data, and
// `fragment` will point into `file`. `end` becomes the offset where the data set goes on.
Status find_fragment(Bytes file, const Element& element, Bytes& fragment,
                     std::size_t& end) noexcept;

// Decode a fragment into little endian cells of `cell_size` bytes (1 or 2). `cells` has the size
// of the whole frame. On success every byte of it was written; else the problem is
// `compressed_data`.
Status decode_rle(Bytes fragment, int cell_size, std::span<std::uint8_t> cells) noexcept;

}  // namespace rgan
