#include "images.hpp"

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <limits>
#include <string>

#include "boundary.hpp"

namespace rgan::c_api {
namespace {

// Of a slice, so that its bytes can be counted.
constexpr std::size_t kMostPixels = std::size_t{1} << 28;

}  // namespace

void check_images(const Images& images) {
  const auto require_both = [&](bool condition, const char* what) {
    if (!condition)
      throw Error(RGAN_INVALID_ARGUMENT, std::string(images.name) + " and out " + what);
  };
  require_both((images.from != nullptr && images.out != nullptr) || images.slices == 0,
               "must not be NULL");
  require(images.rows > 0 && images.columns > 0, "rows and columns must be positive");
  require(images.columns <= kMostPixels / images.rows, "a slice has too many pixels");
  const std::size_t slice = images.rows * images.columns * images.pixel_bytes;
  const std::size_t most = std::numeric_limits<std::ptrdiff_t>::max();
  require(images.slices <= most / slice, "there are too many slices");
  const auto is_aligned = [&](const void* memory) {
    return reinterpret_cast<std::uintptr_t>(memory) % images.pixel_bytes == 0;
  };
  require_both(is_aligned(images.from) && is_aligned(images.out), "must be aligned for their type");
  const auto* from = static_cast<const std::uint8_t*>(images.from);
  const auto* out = static_cast<const std::uint8_t*>(images.out);
  const std::size_t size = images.slices * slice;
  const std::less_equal<> is_before;
  if (from == out || is_before(from + size, out) || is_before(out + size, from)) return;
  throw Error(RGAN_INVALID_ARGUMENT, "out overlaps with " + std::string(images.name) +
                                         "; pass that itself or other memory");
}

void check_spacing(const Card& card, double pixel_spacing, bool accepts_any) {
  const auto spacing = static_cast<float>(pixel_spacing);
  require(std::isfinite(spacing) && spacing > 0,
          "pixel_spacing must be a finite positive number in mm");
  if (accepts_any) return;
  if (!card.pixel_spacing) {
    throw Error(RGAN_OUTSIDE_DOMAIN,
                card.name +
                    ": this model is of format 1 and states no pixel spacings; accept that "
                    "with any_spacing, or export the model again");
  }
  if (!card.pixel_spacing->contains(pixel_spacing)) {
    char text[200];
    std::snprintf(text, sizeof text,
                  " is made for pixel spacings from %g to %g mm, not for %g mm; accept that with "
                  "any_spacing",
                  card.pixel_spacing->min, card.pixel_spacing->max, pixel_spacing);
    throw Error(RGAN_OUTSIDE_DOMAIN, card.name + text);
  }
}

}  // namespace rgan::c_api
