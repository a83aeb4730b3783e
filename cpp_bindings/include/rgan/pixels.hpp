// Pixel data to Hounsfield units and back, a slice at a time.
#pragma once

#include <cstdint>
#include <vector>

#include "rgan/element.hpp"
#include "rgan/problem.hpp"
#include "rgan/slice_header.hpp"

namespace rgan {

// What the way from cells to HU has found out about a slice.
struct PixelNotes {
  std::size_t padded = 0;  // pixels that are padding
  std::size_t behind = 0;  // where the data set goes on after the pixel data
};

// Fill `hu` with the slice's Hounsfield units. Bits above BitsStored are dropped, or filled with
// the sign. Padding that does not fit BitsStored counts as the lowest stored value.
//
// `kept` is resized to the stored values, with padding as the file has it, where any pixel is
// padding; else it is left empty. `scratch` is for compressed data and may be reused. An encoded
// frame is handed back, once it is clear where the data set goes on. May throw std::bad_alloc.
Verdict decode_pixels(Bytes file, const PixelHeader& header, float* hu,
                      std::vector<std::uint8_t>& kept, std::vector<std::uint8_t>& scratch,
                      PixelNotes& notes);

// The same of cells that another decoder has made of the frame; hands back a slice whose padding
// does not fit BitsStored, as the decoder may have cut it off. May throw std::bad_alloc.
Verdict convert_cells(const std::uint8_t* cells, const PixelHeader& header, float* hu,
                      std::vector<std::uint8_t>& kept);

// Turn HU into stored values, `format.bytes()` of them, little endian: rounded half to even,
// clamped, padding put back, and no computed pixel equal to a padding value. `kept` as
// decode_pixels left it; `stored` is aligned for 16 bits, and left half done where a pixel is not
// finite. `clips` counts the pixels that could not be stored as computed.
Verdict encode_pixels(const float* hu, const PixelHeader& header,
                      const std::vector<std::uint8_t>& kept, std::uint8_t* stored,
                      std::size_t& clips) noexcept;

}  // namespace rgan
