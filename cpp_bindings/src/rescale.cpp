#include "rgan/rescale.hpp"

#include <cmath>

namespace rgan {

template <typename Stored>
void stored_to_hu(const Stored* stored, std::size_t count, Rescale rescale, float* hu) noexcept {
  for (std::size_t i = 0; i < count; ++i) {
    hu[i] = static_cast<float>(static_cast<double>(stored[i]) * rescale.slope + rescale.intercept);
  }
}

template <typename Stored>
std::size_t hu_to_stored(const float* hu, std::size_t count, Rescale rescale, StoredRange range,
                         Stored* stored) noexcept {
  std::size_t clamped = 0;
  for (std::size_t i = 0; i < count; ++i) {
    // nearbyint rounds half to even in the default rounding mode.
    const double value =
        std::nearbyint((static_cast<double>(hu[i]) - rescale.intercept) / rescale.slope);
    const bool inside = value >= range.minimum && value <= range.maximum;
    const double limit = value > range.maximum ? range.maximum : range.minimum;
    clamped += inside ? 0 : 1;
    stored[i] = static_cast<Stored>(inside ? value : limit);
  }
  return clamped;
}

#define RGAN_INSTANTIATE(Stored)                                                              \
  template void stored_to_hu<Stored>(const Stored*, std::size_t, Rescale, float*) noexcept;   \
  template std::size_t hu_to_stored<Stored>(const float*, std::size_t, Rescale, StoredRange, \
                                            Stored*) noexcept;

RGAN_INSTANTIATE(std::uint8_t)
RGAN_INSTANTIATE(std::int8_t)
RGAN_INSTANTIATE(std::uint16_t)
RGAN_INSTANTIATE(std::int16_t)

#undef RGAN_INSTANTIATE

}  // namespace rgan
