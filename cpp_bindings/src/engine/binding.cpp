#include "binding.hpp"

#include <array>
#include <bit>

#include "../append.hpp"

namespace rgan {

std::vector<std::uint8_t> bind_pixel_spacing(Bytes content, float pixel_spacing) {
  // IR version 3; a graph with one more initializer: one float32 named "pixel_spacing".
  static constexpr std::array<std::uint8_t, 27> kSuffix = {
      0x08, 0x03, 0x3a, 0x1b, 0x2a, 0x19, 0x08, 0x01, 0x10, 0x01, 0x42, 0x0d, 'p', 'i',
      'x',  'e',  'l',  '_',  's',  'p',  'a',  'c',  'i',  'n',  'g',  0x4a, 0x04};
  std::vector<std::uint8_t> bound;
  bound.reserve(content.size() + kSuffix.size() + 4);
  append(bound, content);
  append(bound, kSuffix);
  append32(bound, std::bit_cast<std::uint32_t>(pixel_spacing));
  return bound;
}

}  // namespace rgan
