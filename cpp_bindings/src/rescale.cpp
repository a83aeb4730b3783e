#include "rgan/rescale.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

// The loops are compiled for several processors; the one that is there is chosen when the library
// is loaded. The arithmetic, and so each bit of the result, is the same in all.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && defined(__ELF__)
#define RGAN_VECTORIZED [[gnu::target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")]]
#else
#define RGAN_VECTORIZED
#endif

namespace rgan {
namespace {

// Whether single precision computes every stored value times slope plus intercept exactly: all of
// them are whole numbers below 2^24.
bool is_exact_in_float(Rescale rescale) noexcept {
  const bool whole = std::trunc(rescale.slope) == rescale.slope &&
                     std::trunc(rescale.intercept) == rescale.intercept;
  return whole && std::abs(rescale.slope) * 65536 + std::abs(rescale.intercept) < 16777216;
}

// Whether rounding HU and then subtracting the intercept gives what rounding the difference gives:
// an even number does not change which of its neighbours a half is rounded to.
bool is_a_shift_by_an_even_number(Rescale rescale) noexcept {
  return rescale.slope == 1 && std::abs(rescale.intercept) < 1e6 &&
         std::trunc(rescale.intercept / 2) * 2 == rescale.intercept;
}

// The bits of floats as integers in the same order, NaN beyond the infinities; twice gives the
// bits again. Integers, so that a loop over them can be vectorised.
constexpr std::int32_t ordered(std::int32_t bits) noexcept {
  return bits ^ ((bits >> 31) & 0x7fffffff);
}

constexpr auto kInfinity = std::bit_cast<std::int32_t>(std::numeric_limits<float>::infinity());
constexpr auto kMinusInfinity =
    std::bit_cast<std::int32_t>(-std::numeric_limits<float>::infinity());

// Whether multiplying by 1 / slope gives the same bits as dividing by the slope.
bool is_power_of_two(double slope) noexcept {
  int exponent = 0;
  return std::abs(std::frexp(slope, &exponent)) == 0.5 && std::abs(exponent) < 1000;
}

template <bool kDivides, typename Stored>
[[gnu::always_inline]] inline std::size_t round_and_clamp(const float* hu, std::size_t count,
                                                          Rescale rescale, StoredRange range,
                                                          Stored* stored) noexcept {
  const double factor = kDivides ? rescale.slope : 1 / rescale.slope;
  std::size_t clamped = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const double above = static_cast<double>(hu[i]) - rescale.intercept;
    // nearbyint rounds half to even in the default rounding mode.
    const double value = std::nearbyint(kDivides ? above / factor : above * factor);
    const bool inside = value >= range.minimum && value <= range.maximum;
    const double limit = value > range.maximum ? range.maximum : range.minimum;
    clamped += inside ? 0 : 1;
    stored[i] = static_cast<Stored>(static_cast<int>(inside ? value : limit));
  }
  return clamped;
}

}  // namespace

#define RGAN_DEFINE(Stored)                                                                       \
  RGAN_VECTORIZED static void to_hu_in_float(const Stored* cells, std::size_t count, int unused,  \
                                             float slope, float intercept, float* hu) noexcept {  \
    for (std::size_t i = 0; i < count; ++i) {                                                     \
      hu[i] = static_cast<float>(trimmed(cells[i], unused)) * slope + intercept;                  \
    }                                                                                             \
  }                                                                                               \
                                                                                                  \
  RGAN_VECTORIZED static void to_hu_in_double(const Stored* cells, std::size_t count, int unused, \
                                              Rescale rescale, float* hu) noexcept {              \
    for (std::size_t i = 0; i < count; ++i) {                                                     \
      const double value = static_cast<double>(trimmed(cells[i], unused));                        \
      hu[i] = static_cast<float>(value * rescale.slope + rescale.intercept);                      \
    }                                                                                             \
  }                                                                                               \
                                                                                                  \
  RGAN_VECTORIZED static std::size_t to_stored(const float* hu, std::size_t count,                \
                                               Rescale rescale, StoredRange range,                \
                                               Stored* stored) noexcept {                         \
    return round_and_clamp<true>(hu, count, rescale, range, stored);                              \
  }                                                                                               \
                                                                                                  \
  RGAN_VECTORIZED static std::size_t to_stored_exactly(const float* hu, std::size_t count,        \
                                                       Rescale rescale, StoredRange range,        \
                                                       Stored* stored) noexcept {                 \
    return round_and_clamp<false>(hu, count, rescale, range, stored);                             \
  }                                                                                               \
                                                                                                  \
  RGAN_VECTORIZED static std::size_t shift_to_stored(const float* hu, std::size_t count,          \
                                                     int intercept, StoredRange range,            \
                                                     Stored* stored) noexcept {                   \
    const float lowest = static_cast<float>(range.minimum + intercept);                           \
    const float highest = static_cast<float>(range.maximum + intercept);                          \
    std::uint32_t inside = 0;                                                                     \
    for (std::size_t i = 0; i < count; ++i) {                                                     \
      /* Not-a-number is not inside either, and becomes the lowest. */                            \
      const float rounded = std::nearbyint(hu[i]);                                                \
      const float above = rounded > lowest ? rounded : lowest;                                    \
      const float bounded = above < highest ? above : highest;                                    \
      inside += bounded == rounded ? 1 : 0;                                                       \
      stored[i] = static_cast<Stored>(static_cast<int>(bounded) - intercept);                     \
    }                                                                                             \
    return count - inside;                                                                        \
  }                                                                                               \
                                                                                                  \
  template <>                                                                                     \
  void cells_to_hu<Stored>(const Stored* cells, std::size_t count, int unused, Rescale rescale,   \
                           float* hu) noexcept {                                                  \
    if (is_exact_in_float(rescale)) {                                                             \
      to_hu_in_float(cells, count, unused, static_cast<float>(rescale.slope),                     \
                     static_cast<float>(rescale.intercept), hu);                                  \
    } else {                                                                                      \
      to_hu_in_double(cells, count, unused, rescale, hu);                                         \
    }                                                                                             \
  }                                                                                               \
                                                                                                  \
  template <>                                                                                     \
  std::size_t hu_to_stored<Stored>(const float* hu, std::size_t count, Rescale rescale,           \
                                   StoredRange range, Stored* stored) noexcept {                  \
    if (is_a_shift_by_an_even_number(rescale)) {                                                  \
      return shift_to_stored(hu, count, static_cast<int>(rescale.intercept), range, stored);      \
    }                                                                                             \
    return is_power_of_two(rescale.slope) ? to_stored_exactly(hu, count, rescale, range, stored)  \
                                          : to_stored(hu, count, rescale, range, stored);         \
  }

RGAN_VECTORIZED Extremes find_extremes(const float* hu, std::size_t count) noexcept {
  std::int32_t lowest = std::numeric_limits<std::int32_t>::max();
  std::int32_t highest = std::numeric_limits<std::int32_t>::min();
  for (std::size_t i = 0; i < count; ++i) {
    const std::int32_t key = ordered(std::bit_cast<std::int32_t>(hu[i]));
    lowest = key < lowest ? key : lowest;
    highest = key > highest ? key : highest;
  }
  if (lowest <= ordered(kMinusInfinity) || highest >= kInfinity) {
    const float nan = std::numeric_limits<float>::quiet_NaN();
    return {nan, nan};
  }
  return {std::bit_cast<float>(ordered(lowest)), std::bit_cast<float>(ordered(highest))};
}

RGAN_DEFINE(std::uint8_t)
RGAN_DEFINE(std::int8_t)
RGAN_DEFINE(std::uint16_t)
RGAN_DEFINE(std::int16_t)

#undef RGAN_DEFINE

}  // namespace rgan
