#include "rgan/pixels.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <type_traits>

#include "rgan/rescale.hpp"
#include "rgan/rle.hpp"

namespace rgan {
namespace {

static_assert(std::endian::native == std::endian::little, "cells are copied as they are");

constexpr std::uint32_t kPixelPaddingValue = 0x00280120;
constexpr std::size_t kBlock = 4096;  // pixels that are processed while they are in the cache

// Call `work` with the type of a format's cells, as a std::type_identity.
template <typename Work>
auto visit_cell_type(const PixelFormat& format, const Work& work) {
  const bool is_wide = format.bits_allocated == 16;
  if (format.is_signed) {
    return is_wide ? work(std::type_identity<std::int16_t>())
                   : work(std::type_identity<std::int8_t>());
  }
  return is_wide ? work(std::type_identity<std::uint16_t>())
                 : work(std::type_identity<std::uint8_t>());
}

// Return how many pixels are padding. `cells` are as in the file; `stored` are the same without
// unused bits. Where padding does not fit BitsStored, `stored` becomes the minimum, which counts
// for HU; everywhere else `cells` become the stored values.
template <typename Cell>
std::size_t separate_padding(Cell* cells, Cell* stored, std::size_t count, Padding padding,
                             int minimum) noexcept {
  std::size_t padded = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const bool is_wide = cells[i] != stored[i] && padding.contains(cells[i]);
    padded += is_wide || padding.contains(stored[i]) ? 1 : 0;
    cells[i] = is_wide ? cells[i] : stored[i];
    stored[i] = is_wide ? static_cast<Cell>(minimum) : stored[i];
  }
  return padded;
}

// Convert a slice that has no padding.
template <typename Cell>
void convert_plain(const std::uint8_t* data, const PixelHeader& header, float* hu) noexcept {
  const std::size_t pixels = header.format.pixels();
  const int unused = header.format.bits_allocated - header.format.bits_stored;
  if (reinterpret_cast<std::uintptr_t>(data) % alignof(Cell) == 0) {
    cells_to_hu(reinterpret_cast<const Cell*>(data), pixels, unused, header.rescale, hu);
    return;
  }
  std::array<Cell, kBlock> cells;
  for (std::size_t start = 0; start < pixels; start += kBlock) {
    const std::size_t count = std::min(kBlock, pixels - start);
    std::memcpy(cells.data(), data + (start * sizeof(Cell)), count * sizeof(Cell));
    cells_to_hu(cells.data(), count, unused, header.rescale, hu + start);
  }
}

// Convert a slice that may have padding, and keep its stored values.
template <typename Cell>
std::size_t convert_padded(const std::uint8_t* data, const PixelHeader& header, Padding padding,
                           float* hu, std::uint8_t* kept) noexcept {
  const PixelFormat& format = header.format;
  const int unused = format.bits_allocated - format.bits_stored;
  std::array<Cell, kBlock> stored;
  std::array<Cell, kBlock> cells;
  std::size_t padded = 0;
  for (std::size_t start = 0; start < format.pixels(); start += kBlock) {
    const std::size_t count = std::min(kBlock, format.pixels() - start);
    const std::size_t offset = start * sizeof(Cell);
    std::memcpy(cells.data(), data + offset, count * sizeof(Cell));
    stored = cells;
    for (std::size_t i = 0; i < count; ++i) stored[i] = drop_unused_bits(stored[i], unused);
    padded += separate_padding(cells.data(), stored.data(), count, padding, format.minimum());
    std::memcpy(kept + offset, cells.data(), count * sizeof(Cell));
    stored_to_hu(stored.data(), count, header.rescale, hu + start);
  }
  return padded;
}

// Convert a slice; return how many pixels are padding, and keep the stored values if any is.
std::size_t convert(const std::uint8_t* data, const PixelHeader& header, float* hu,
                    std::vector<std::uint8_t>& stored) {
  return visit_cell_type(
      header.format, [&]<typename Cell>(std::type_identity<Cell>) -> std::size_t {
        if (!header.padding) {
          convert_plain<Cell>(data, header, hu);
          return 0;
        }
        // Most slices with PixelPaddingValue have padding, so stored values are kept at once.
        stored.resize(header.format.bytes());
        const std::size_t padded =
            convert_padded<Cell>(data, header, *header.padding, hu, stored.data());
        if (padded == 0) stored.clear();
        return padded;
      });
}

// The stored values beside the padding, to which computed pixels move that would be padding.
struct Neighbours {
  Neighbours(Padding range, const PixelFormat& format) noexcept
      : padding(range),
        below(std::clamp(range.low - 1, format.minimum(), format.maximum())),
        above(std::clamp(range.high + 1, format.minimum(), format.maximum())),
        below_fits(range.low > format.minimum()),
        above_fits(range.high < format.maximum()) {}

  [[nodiscard]] int find_nearest(int value) const noexcept {
    const bool is_nearer_below = value - padding.low < padding.high - value;
    return below_fits && (is_nearer_below || !above_fits) ? below : above;
  }

  Padding padding;
  int below;
  int above;
  bool below_fits;
  bool above_fits;
};

// Put padding back, and move computed pixels out of its way. Return how many were moved that were
// not clamped already. `source` may be null.
template <typename Cell>
std::size_t restore_padding(const float* hu, const Cell* source, Cell* cells, std::size_t count,
                            Rescale rescale, const Neighbours& neighbours,
                            const PixelFormat& format) noexcept {
  const Padding padding = neighbours.padding;
  std::size_t moved = 0;
  for (std::size_t i = 0; i < count; ++i) {
    if (source != nullptr && padding.contains(source[i])) {
      cells[i] = source[i];
    } else if (padding.contains(cells[i])) {
      const double computed =
          std::nearbyint((static_cast<double>(hu[i]) - rescale.intercept) / rescale.slope);
      moved += computed >= format.minimum() && computed <= format.maximum() ? 1 : 0;
      cells[i] = static_cast<Cell>(neighbours.find_nearest(cells[i]));
    }
  }
  return moved;
}

// Replace the HU of padding pixels by those that the source has there.
template <typename Cell>
void put_source_hu(const Cell* source, std::size_t count, const PixelHeader& header,
                   Padding padding, float* hu) noexcept {
  const PixelFormat& format = header.format;
  for (std::size_t i = 0; i < count; ++i) {
    if (!padding.contains(source[i])) continue;
    const bool fits = source[i] >= format.minimum() && source[i] <= format.maximum();
    const Cell value = fits ? source[i] : static_cast<Cell>(format.minimum());
    stored_to_hu(&value, 1, header.rescale, hu + i);
  }
}

// Encode one block of pixels. `source` are its stored values in the source, or null if the slice
// has no padding.
template <typename Cell>
Status encode_block(const float* hu, const PixelHeader& header, const Cell* source, Cell* cells,
                    std::size_t count, std::size_t& clips) noexcept {
  const PixelFormat& format = header.format;
  const StoredRange range{.minimum = static_cast<double>(format.minimum()),
                          .maximum = static_cast<double>(format.maximum())};
  if (std::isnan(find_extremes(hu, count).lowest)) return Problem::not_finite;
  if (!header.padding) {
    clips += hu_to_stored(hu, count, header.rescale, range, cells);
    return {};
  }
  std::array<float, kBlock> wanted;
  if (source != nullptr) {
    std::memcpy(wanted.data(), hu, count * sizeof(float));
    put_source_hu(source, count, header, *header.padding, wanted.data());
    hu = wanted.data();
  }
  clips += hu_to_stored(hu, count, header.rescale, range, cells);
  clips += restore_padding(hu, source, cells, count, header.rescale,
                           Neighbours(*header.padding, format), format);
  return {};
}

}  // namespace

Status encode_pixels(const float* hu, const PixelHeader& header,
                     const std::vector<std::uint8_t>& source_stored, std::uint8_t* cells,
                     std::size_t& clips) noexcept {
  return visit_cell_type(header.format, [&]<typename Cell>(std::type_identity<Cell>) -> Status {
    // Both are arrays of bytes from the heap, and so aligned for any fundamental type.
    const auto* source =
        source_stored.empty() ? nullptr : reinterpret_cast<const Cell*>(source_stored.data());
    auto* out = reinterpret_cast<Cell*>(cells);
    const std::size_t pixels = header.format.pixels();
    clips = 0;
    for (std::size_t start = 0; start < pixels; start += kBlock) {
      const std::size_t count = std::min(kBlock, pixels - start);
      const auto* source_block = source == nullptr ? nullptr : source + start;
      const Status status =
          encode_block(hu + start, header, source_block, out + start, count, clips);
      if (!status) return status;
    }
    return {};
  });
}

void fill_padding(const PixelHeader& header, const std::vector<std::uint8_t>& source_stored,
                  float value, float* hu) noexcept {
  if (!header.padding || source_stored.empty()) return;
  visit_cell_type(header.format, [&]<typename Cell>(std::type_identity<Cell>) {
    const auto* source = reinterpret_cast<const Cell*>(source_stored.data());
    for (std::size_t i = 0; i < header.format.pixels(); ++i) {
      if (header.padding->contains(source[i])) hu[i] = value;
    }
  });
}

Status decode_pixels(Bytes file, const PixelHeader& header, float* hu,
                     std::vector<std::uint8_t>& stored, std::vector<std::uint8_t>& scratch,
                     DecodeResult& result) {
  stored.clear();
  const Element& element = header.pixel_data;
  const std::uint8_t* data = file.data() + element.value;
  result.end = element.value + element.length;
  if (header.syntax == TransferSyntax::rle || header.syntax == TransferSyntax::encoded) {
    Bytes fragment;
    if (const Status status = find_fragment(file, element, fragment, result.end); !status) {
      return status;
    }
    if (header.syntax == TransferSyntax::encoded) return Problem::transfer_syntax;
    scratch.resize(header.format.bytes());
    const Status status = decode_rle(fragment, header.format.bits_allocated / 8, scratch);
    if (!status) return status;
    data = scratch.data();
  } else if (file.size() < element.value || file.size() - element.value < element.length) {
    return {Problem::truncated, element.tag};
  }
  result.padded = convert(data, header, hu, stored);
  return {};
}

Status convert_cells(const std::uint8_t* cells, const PixelHeader& header, float* hu,
                     std::vector<std::uint8_t>& stored) {
  const PixelFormat& format = header.format;
  if (header.padding &&
      (header.padding->low < format.minimum() || header.padding->high > format.maximum())) {
    return {Problem::unusual_value, kPixelPaddingValue};
  }
  stored.clear();
  convert(cells, header, hu, stored);
  return {};
}

}  // namespace rgan
