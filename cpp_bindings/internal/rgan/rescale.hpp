// Stored pixel values to Hounsfield units and back (DICOM PS3.3 C.11.1.1.2).
//
// All functions are thread-safe, allocate nothing and throw nothing. Input and output must not
// overlap, and each pointer must be aligned for its type. Results are those of double precision
// without fused multiply-add, so every build and NumPy give the same bits.
//
// The templates exist for 8 and 16-bit integers, signed and unsigned.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace rgan {

struct Rescale {
  double slope;      // HU per stored unit, finite and not zero
  double intercept;  // HU
};

// The smallest and the largest value that a pixel format holds.
struct StoredRange {
  double minimum;
  double maximum;
};

// Return the stored value of a pixel cell whose `unused` highest bits do not count: they are
// cleared, or filled with the sign.
template <typename Stored>
[[nodiscard]] constexpr Stored drop_unused_bits(Stored cell, int unused) noexcept {
  const auto shifted =
      static_cast<std::make_unsigned_t<Stored>>(static_cast<unsigned>(cell) << unused);
  return static_cast<Stored>(static_cast<Stored>(shifted) >> unused);
}

// Fill hu[i] with float(double(stored) * slope + intercept), where `stored` is cells[i] without
// its `unused` highest bits.
template <typename Stored>
void cells_to_hu(const Stored* cells, std::size_t count, int unused, Rescale rescale,
                 float* hu) noexcept;

// The same for cells in which all bits are used.
template <typename Stored>
void stored_to_hu(const Stored* stored, std::size_t count, Rescale rescale, float* hu) noexcept {
  cells_to_hu(stored, count, 0, rescale, hu);
}

// Fill stored[i] with round_half_even((double(hu[i]) - intercept) / slope), clamped to `range`.
// Return how many values were clamped. NaN counts as clamped and becomes the minimum.
template <typename Stored>
[[nodiscard]] std::size_t hu_to_stored(const float* hu, std::size_t count, Rescale rescale,
                                       StoredRange range, Stored* stored) noexcept;

// The smallest and the largest of some Hounsfield units; both are NaN unless all are finite.
struct Extremes {
  float lowest;
  float highest;
};

[[nodiscard]] Extremes find_extremes(const float* hu, std::size_t count) noexcept;

}  // namespace rgan
