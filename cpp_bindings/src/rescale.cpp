#include "rgan/rescale.hpp"

#include <bit>
#include <cmath>
#include <limits>

// GCC compiles a function with this attribute once per x86-64 level, and the loader picks the one
// for the processor at hand. The arithmetic, and so each bit of the result, is the same in all.
// GCC knows these levels since version 12. Clang says that it is GCC 4, and does without.
// Not with ThreadSanitizer: the loader picks before that has started, which ends the program.
#if defined(__x86_64__) && defined(__GLIBC__) && __GNUC__ >= 12 && !defined(__clang__) && \
    !defined(__SANITIZE_THREAD__)
#define RGAN_MULTIVERSION [[gnu::target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")]]
#else
#define RGAN_MULTIVERSION
#endif

namespace rgan {
namespace {

// Whether single precision computes every stored value times slope plus intercept exactly: all of
// these products and sums are whole numbers below 2^24.
bool is_exact_in_float(Rescale rescale) noexcept {
  const bool is_whole = std::trunc(rescale.slope) == rescale.slope &&
                        std::trunc(rescale.intercept) == rescale.intercept;
  return is_whole && (std::abs(rescale.slope) * 65536) + std::abs(rescale.intercept) < 16777216;
}

// Whether HU may be rounded before the intercept is subtracted: an even intercept does not change
// whether a half is rounded up or down.
bool is_shift_by_even_number(Rescale rescale) noexcept {
  return rescale.slope == 1 && std::abs(rescale.intercept) < 1e6 &&
         std::trunc(rescale.intercept / 2) * 2 == rescale.intercept;
}

// Whether multiplying by 1 / slope gives the same bits as dividing by the slope.
bool is_power_of_two(double slope) noexcept {
  int exponent = 0;
  return std::abs(std::frexp(slope, &exponent)) == 0.5 && std::abs(exponent) < 1000;
}

template <typename Stored>
RGAN_MULTIVERSION void cells_to_hu_in_float(const Stored* cells, std::size_t count, int unused,
                                            float slope, float intercept, float* hu) noexcept {
  for (std::size_t i = 0; i < count; ++i) {
    hu[i] = (static_cast<float>(drop_unused_bits(cells[i], unused)) * slope) + intercept;
  }
}

template <typename Stored>
RGAN_MULTIVERSION void cells_to_hu_in_double(const Stored* cells, std::size_t count, int unused,
                                             Rescale rescale, float* hu) noexcept {
  for (std::size_t i = 0; i < count; ++i) {
    const auto stored = static_cast<double>(drop_unused_bits(cells[i], unused));
    hu[i] = static_cast<float>((stored * rescale.slope) + rescale.intercept);
  }
}

// `Divides`: by the slope; else the product with its inverse is the same.
template <bool Divides, typename Stored>
RGAN_MULTIVERSION std::size_t round_and_clamp(const float* hu, std::size_t count, Rescale rescale,
                                              StoredRange range, Stored* stored) noexcept {
  const double factor = Divides ? rescale.slope : 1 / rescale.slope;
  std::size_t clamped = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const double above = static_cast<double>(hu[i]) - rescale.intercept;
    // nearbyint rounds half to even in the default rounding mode.
    const double value = std::nearbyint(Divides ? above / factor : above * factor);
    const bool is_inside = value >= range.minimum && value <= range.maximum;
    const double limit = value > range.maximum ? range.maximum : range.minimum;
    clamped += is_inside ? 0 : 1;
    stored[i] = static_cast<Stored>(static_cast<int>(is_inside ? value : limit));
  }
  return clamped;
}

template <typename Stored>
RGAN_MULTIVERSION std::size_t round_and_shift(const float* hu, std::size_t count, int intercept,
                                              StoredRange range, Stored* stored) noexcept {
  const auto lowest = static_cast<float>(range.minimum + intercept);
  const auto highest = static_cast<float>(range.maximum + intercept);
  std::uint32_t inside = 0;
  for (std::size_t i = 0; i < count; ++i) {
    // NaN is not inside either, and becomes the lowest.
    const float rounded = std::nearbyint(hu[i]);
    const float above = rounded > lowest ? rounded : lowest;
    const float bounded = above < highest ? above : highest;
    inside += bounded == rounded ? 1 : 0;
    stored[i] = static_cast<Stored>(static_cast<int>(bounded) - intercept);
  }
  return count - inside;
}

// The bits of a float as an integer that orders as the float does, with NaN beyond the infinities.
// Applied twice it gives the bits again. A loop over integers can be vectorized.
constexpr std::int32_t to_order_key(std::int32_t bits) noexcept {
  return bits ^ ((bits >> 31) & 0x7fffffff);
}

constexpr auto kInfinity = std::bit_cast<std::int32_t>(std::numeric_limits<float>::infinity());
constexpr auto kMinusInfinity =
    std::bit_cast<std::int32_t>(-std::numeric_limits<float>::infinity());

// The share of slope and of intercept in HU, at most.
constexpr double kMostHu = std::numeric_limits<float>::max() / 2.0;

}  // namespace

bool is_usable_slope(double slope) noexcept {
  return slope != 0 && std::abs(slope) * 65536 <= kMostHu;
}

bool is_usable_intercept(double intercept) noexcept { return std::abs(intercept) <= kMostHu; }

template <typename Stored>
void cells_to_hu(const Stored* cells, std::size_t count, int unused, Rescale rescale,
                 float* hu) noexcept {
  if (is_exact_in_float(rescale)) {
    cells_to_hu_in_float(cells, count, unused, static_cast<float>(rescale.slope),
                         static_cast<float>(rescale.intercept), hu);
  } else {
    cells_to_hu_in_double(cells, count, unused, rescale, hu);
  }
}

template <typename Stored>
std::size_t hu_to_stored(const float* hu, std::size_t count, Rescale rescale, StoredRange range,
                         Stored* stored) noexcept {
  if (is_shift_by_even_number(rescale)) {
    return round_and_shift(hu, count, static_cast<int>(rescale.intercept), range, stored);
  }
  return is_power_of_two(rescale.slope) ? round_and_clamp<false>(hu, count, rescale, range, stored)
                                        : round_and_clamp<true>(hu, count, rescale, range, stored);
}

RGAN_MULTIVERSION Extremes find_extremes(const float* hu, std::size_t count) noexcept {
  std::int32_t lowest = std::numeric_limits<std::int32_t>::max();
  std::int32_t highest = std::numeric_limits<std::int32_t>::min();
  for (std::size_t i = 0; i < count; ++i) {
    const std::int32_t key = to_order_key(std::bit_cast<std::int32_t>(hu[i]));
    lowest = key < lowest ? key : lowest;
    highest = key > highest ? key : highest;
  }
  if (lowest <= to_order_key(kMinusInfinity) || highest >= kInfinity) {
    const float nan = std::numeric_limits<float>::quiet_NaN();
    return {.lowest = nan, .highest = nan};
  }
  return {.lowest = std::bit_cast<float>(to_order_key(lowest)),
          .highest = std::bit_cast<float>(to_order_key(highest))};
}

template void cells_to_hu(const std::uint8_t*, std::size_t, int, Rescale, float*) noexcept;
template void cells_to_hu(const std::int8_t*, std::size_t, int, Rescale, float*) noexcept;
template void cells_to_hu(const std::uint16_t*, std::size_t, int, Rescale, float*) noexcept;
template void cells_to_hu(const std::int16_t*, std::size_t, int, Rescale, float*) noexcept;

template std::size_t hu_to_stored(const float*, std::size_t, Rescale, StoredRange,
                                  std::uint8_t*) noexcept;
template std::size_t hu_to_stored(const float*, std::size_t, Rescale, StoredRange,
                                  std::int8_t*) noexcept;
template std::size_t hu_to_stored(const float*, std::size_t, Rescale, StoredRange,
                                  std::uint16_t*) noexcept;
template std::size_t hu_to_stored(const float*, std::size_t, Rescale, StoredRange,
                                  std::int16_t*) noexcept;

}  // namespace rgan
