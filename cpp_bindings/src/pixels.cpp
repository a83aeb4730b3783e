#include "rgan/pixels.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>

#include "rgan/rle.hpp"

namespace rgan {
namespace {

static_assert(std::endian::native == std::endian::little, "pixel cells are copied as they are");

constexpr std::uint32_t kPixelPaddingValue = 0x00280120;
constexpr std::size_t kBlock = 4096;  // pixels that are worked on while they are in the cache

// Count padding. `cells` are as in the file, `stored` are trimmed. Where padding does not fit
// BitsStored, `stored` becomes what counts for HU; elsewhere `cells` become the trimmed ones.
template <typename Stored>
std::size_t settle_padding(Stored* cells, Stored* stored, std::size_t count, Padding padding,
                           int minimum) noexcept {
  std::size_t padded = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const bool is_wide = cells[i] != stored[i] && padding.holds(cells[i]);
    padded += is_wide || padding.holds(stored[i]) ? 1 : 0;
    cells[i] = is_wide ? cells[i] : stored[i];
    stored[i] = is_wide ? static_cast<Stored>(minimum) : stored[i];
  }
  return padded;
}

// Convert a slice that has no padding.
template <typename Stored>
void convert(const std::uint8_t* data, const PixelHeader& header, float* hu) noexcept {
  const std::size_t pixels = header.format.pixels();
  const int unused = header.format.bits_allocated - header.format.bits_stored;
  if (reinterpret_cast<std::uintptr_t>(data) % alignof(Stored) == 0) {
    cells_to_hu(reinterpret_cast<const Stored*>(data), pixels, unused, header.rescale, hu);
    return;
  }
  std::array<Stored, kBlock> cells;
  for (std::size_t start = 0; start < pixels; start += kBlock) {
    const std::size_t count = std::min(kBlock, pixels - start);
    std::memcpy(cells.data(), data + start * sizeof(Stored), count * sizeof(Stored));
    cells_to_hu(cells.data(), count, unused, header.rescale, hu + start);
  }
}

// Convert a slice that may have padding, and keep its stored values.
template <typename Stored>
std::size_t convert_and_keep(const std::uint8_t* data, const PixelHeader& header, float* hu,
                             std::uint8_t* kept) noexcept {
  const PixelFormat& format = header.format;
  const int unused = format.bits_allocated - format.bits_stored;
  std::array<Stored, kBlock> stored;
  std::array<Stored, kBlock> cells;
  std::size_t padded = 0;
  for (std::size_t start = 0; start < format.pixels(); start += kBlock) {
    const std::size_t count = std::min(kBlock, format.pixels() - start);
    const std::size_t offset = start * sizeof(Stored);
    std::memcpy(cells.data(), data + offset, count * sizeof(Stored));
    stored = cells;
    for (std::size_t i = 0; i < count; ++i) stored[i] = drop_unused_bits(stored[i], unused);
    padded += settle_padding(cells.data(), stored.data(), count, *header.padding, format.minimum());
    std::memcpy(kept + offset, cells.data(), count * sizeof(Stored));
    stored_to_hu(stored.data(), count, header.rescale, hu + start);
  }
  return padded;
}

template <typename Stored>
std::size_t convert_as(const std::uint8_t* data, const PixelHeader& header, float* hu,
                       std::vector<std::uint8_t>& kept) {
  if (!header.padding) {
    convert<Stored>(data, header, hu);
    return 0;
  }
  // Most slices with PixelPaddingValue have padding, so it is kept at once.
  kept.resize(header.format.bytes());
  const std::size_t padded = convert_and_keep<Stored>(data, header, hu, kept.data());
  if (padded == 0) kept.clear();
  return padded;
}

std::size_t convert_any(const std::uint8_t* data, const PixelHeader& header, float* hu,
                        std::vector<std::uint8_t>& kept) {
  const bool is_wide = header.format.bits_allocated == 16;
  if (header.format.is_signed) {
    return is_wide ? convert_as<std::int16_t>(data, header, hu, kept)
                   : convert_as<std::int8_t>(data, header, hu, kept);
  }
  return is_wide ? convert_as<std::uint16_t>(data, header, hu, kept)
                 : convert_as<std::uint8_t>(data, header, hu, kept);
}

// The stored values next to padding that computed pixels move to.
struct Neighbours {
  Neighbours(Padding padding, const PixelFormat& format) noexcept
      : padding(padding),
        below(std::clamp(padding.low - 1, format.minimum(), format.maximum())),
        above(std::clamp(padding.high + 1, format.minimum(), format.maximum())),
        below_fits(padding.low > format.minimum()),
        above_fits(padding.high < format.maximum()) {}

  int nearest(int value) const noexcept {
    const bool nearer_below = value - padding.low < padding.high - value;
    return below_fits && (nearer_below || !above_fits) ? below : above;
  }

  Padding padding;
  int below;
  int above;
  bool below_fits;
  bool above_fits;
};

// Put padding back, and move computed pixels out of its way; return how many were moved that had
// not been clamped.
template <typename Stored>
std::size_t restore_padding(const float* hu, const Stored* kept, Stored* stored, std::size_t count,
                            Rescale rescale, const Neighbours& neighbours,
                            const PixelFormat& format) noexcept {
  const Padding padding = neighbours.padding;
  std::size_t moved = 0;
  for (std::size_t i = 0; i < count; ++i) {
    if (kept != nullptr && padding.holds(kept[i])) {
      stored[i] = kept[i];
    } else if (padding.holds(stored[i])) {
      const double computed =
          std::nearbyint((static_cast<double>(hu[i]) - rescale.intercept) / rescale.slope);
      moved += computed >= format.minimum() && computed <= format.maximum() ? 1 : 0;
      stored[i] = static_cast<Stored>(neighbours.nearest(stored[i]));
    }
  }
  return moved;
}

// The HU of a slice with those of its source where that is padding.
template <typename Stored>
void put_source_hu(const Stored* kept, std::size_t count, const PixelHeader& header,
                   float* hu) noexcept {
  const PixelFormat& format = header.format;
  for (std::size_t i = 0; i < count; ++i) {
    if (!header.padding->holds(kept[i])) continue;
    const bool fits = kept[i] >= format.minimum() && kept[i] <= format.maximum();
    const Stored value = fits ? kept[i] : static_cast<Stored>(format.minimum());
    stored_to_hu(&value, 1, header.rescale, hu + i);
  }
}

template <typename Stored>
Verdict encode(const float* hu, const PixelHeader& header, const Stored* kept, Stored* stored,
               std::size_t& clips) noexcept {
  const PixelFormat& format = header.format;
  const StoredRange range{static_cast<double>(format.minimum()),
                          static_cast<double>(format.maximum())};
  std::array<float, kBlock> wanted;
  clips = 0;
  for (std::size_t start = 0; start < format.pixels(); start += kBlock) {
    const std::size_t count = std::min(kBlock, format.pixels() - start);
    const Stored* kept_block = kept == nullptr ? nullptr : kept + start;
    const float* source = hu + start;
    if (std::isnan(find_extremes(source, count).lowest)) return {Problem::not_finite};
    if (kept_block != nullptr) {
      std::memcpy(wanted.data(), source, count * sizeof(float));
      put_source_hu(kept_block, count, header, wanted.data());
      source = wanted.data();
    }
    clips += hu_to_stored(source, count, header.rescale, range, stored + start);
    if (header.padding) {
      clips += restore_padding(source, kept_block, stored + start, count, header.rescale,
                               Neighbours(*header.padding, format), format);
    }
  }
  return {};
}

template <typename Stored>
Verdict encode_as(const float* hu, const PixelHeader& header, const std::vector<std::uint8_t>& kept,
                  std::uint8_t* stored, std::size_t& clips) noexcept {
  // Both are arrays of bytes from the heap, and so aligned for any fundamental type.
  const auto* cells = kept.empty() ? nullptr : reinterpret_cast<const Stored*>(kept.data());
  return encode(hu, header, cells, reinterpret_cast<Stored*>(stored), clips);
}

}  // namespace

Verdict encode_pixels(const float* hu, const PixelHeader& header,
                      const std::vector<std::uint8_t>& kept, std::uint8_t* stored,
                      std::size_t& clips) noexcept {
  const bool is_wide = header.format.bits_allocated == 16;
  if (header.format.is_signed) {
    return is_wide ? encode_as<std::int16_t>(hu, header, kept, stored, clips)
                   : encode_as<std::int8_t>(hu, header, kept, stored, clips);
  }
  return is_wide ? encode_as<std::uint16_t>(hu, header, kept, stored, clips)
                 : encode_as<std::uint8_t>(hu, header, kept, stored, clips);
}

Verdict decode_pixels(Bytes file, const PixelHeader& header, float* hu,
                      std::vector<std::uint8_t>& kept, std::vector<std::uint8_t>& scratch,
                      PixelNotes& notes) {
  kept.clear();
  const Element& element = header.pixel_data;
  const std::uint8_t* data = file.data() + element.value;
  notes.behind = element.value + element.length;
  if (header.syntax == TransferSyntax::rle || header.syntax == TransferSyntax::encoded) {
    Bytes fragment;
    if (const Verdict verdict = find_fragment(file, element, fragment, notes.behind); !verdict) {
      return verdict;
    }
    if (header.syntax == TransferSyntax::encoded) return {Problem::transfer_syntax};
    scratch.resize(header.format.bytes());
    const Verdict verdict = decode_rle(fragment, header.format.bits_allocated / 8, scratch);
    if (!verdict) return verdict;
    data = scratch.data();
  } else if (file.size() < element.value || file.size() - element.value < element.length) {
    return {Problem::truncated, element.tag};
  }
  notes.padded = convert_any(data, header, hu, kept);
  return {};
}

Verdict convert_cells(const std::uint8_t* cells, const PixelHeader& header, float* hu,
                      std::vector<std::uint8_t>& kept) {
  const PixelFormat& format = header.format;
  if (header.padding &&
      (header.padding->low < format.minimum() || header.padding->high > format.maximum())) {
    return {Problem::unusual_value, kPixelPaddingValue};
  }
  kept.clear();
  convert_any(cells, header, hu, kept);
  return {};
}

}  // namespace rgan
