// Stored pixel values to Hounsfield units and back (DICOM PS3.3 C.11.1.1.2).
//
// All functions are thread-safe, allocate nothing and throw nothing. Arithmetic is in
// double without fused multiply-add, so that every build and NumPy give the same bits.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace rgan {

struct Rescale {
  double slope;      // HU per stored unit, finite and not zero
  double intercept;  // HU
};

struct StoredRange {
  double minimum;  // the smallest and the largest value that the pixel format holds
  double maximum;
};

// A cell without its `unused` highest bits: they are dropped, or filled with the sign.
template <typename Stored>
constexpr Stored trimmed(Stored cell, int unused) noexcept {
  const auto shifted =
      static_cast<std::make_unsigned_t<Stored>>(static_cast<unsigned>(cell) << unused);
  return static_cast<Stored>(static_cast<Stored>(shifted) >> unused);
}

// hu[i] = float(double(stored[i]) * slope + intercept), where a stored value is a trimmed
// cell.
template <typename Stored>
void cells_to_hu(const Stored* cells, std::size_t count, int unused, Rescale rescale,
                 float* hu) noexcept;

// The same of cells in which all bits are used.
template <typename Stored>
void stored_to_hu(const Stored* stored, std::size_t count, Rescale rescale, float* hu) noexcept {
  cells_to_hu(stored, count, 0, rescale, hu);
}

// stored[i] = round_half_even((double(hu[i]) - intercept) / slope), clamped to `range`.
// Returns how many values were clamped; not-a-number counts and becomes the minimum.
template <typename Stored>
std::size_t hu_to_stored(const float* hu, std::size_t count, Rescale rescale, StoredRange range,
                         Stored* stored) noexcept;

// The smallest and the largest of some Hounsfield units; both NaN unless all are finite.
struct Extremes {
  float lowest;
  float highest;
};

Extremes find_extremes(const float* hu, std::size_t count) noexcept;

}  // namespace rgan
