// Pixel data to Hounsfield units and back, one slice at a time.
//
// A cell is what the pixel data holds for one pixel, 8 or 16 bits; its stored value is what
// BitsStored leaves of it. Functions are thread-safe as long as no two calls share an output.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "rgan/element.hpp"
#include "rgan/slice_header.hpp"
#include "rgan/status.hpp"

namespace rgan {

// What was learned while the pixels of a slice were decoded.
struct DecodeResult {
  std::size_t padded = 0;  // how many pixels are padding
  std::size_t end = 0;     // the offset in the file where the data set goes on
};

// Fill `hu`, `[rows, columns]` float, with the Hounsfield units of a slice. Bits above BitsStored
// are cleared, or filled with the sign. Padding that does not fit BitsStored counts as the lowest
// stored value.
//
// If any pixel is padding, `stored` becomes the stored values, with padding as it is in the file;
// else it becomes empty. `scratch` is memory for decompression that may be reused.
//
// If the frame needs a decoder from outside, the problem is `transfer_syntax`, and `result.end` is
// valid. May throw std::bad_alloc.
Status decode_pixels(Bytes file, const PixelHeader& header, float* hu,
                     std::vector<std::uint8_t>& stored, std::vector<std::uint8_t>& scratch,
                     DecodeResult& result);

// The same for cells that another decoder made of the frame. Padding that does not fit BitsStored
// is a problem, because the decoder may have cut it off. May throw std::bad_alloc.
Status convert_cells(const std::uint8_t* cells, const PixelHeader& header, float* hu,
                     std::vector<std::uint8_t>& stored);

// Turn HU into little endian cells: rounded half to even, clamped to what the format holds, the
// padding of the source put back, and no computed pixel equal to a padding value.
//
// `source_stored` is what decode_pixels left in `stored`. `cells` has room for `format.bytes()`
// bytes and is aligned for 16 bits; if a pixel is not finite, only a part of it is filled. `clips`
// counts the pixels that could not be stored as computed.
Status encode_pixels(const float* hu, const PixelHeader& header,
                     const std::vector<std::uint8_t>& source_stored, std::uint8_t* cells,
                     std::size_t& clips) noexcept;

// What models are given as padding, in training and in Python too. It is below any window.
inline constexpr float kPaddingHu = -3024;

// Set the pixels of `hu` that the file declares as padding to a value. `source_stored` is what
// decode_pixels left in `stored`.
void fill_padding(const PixelHeader& header, const std::vector<std::uint8_t>& source_stored,
                  float value, float* hu) noexcept;

}  // namespace rgan
