#include "rgan/rle.hpp"

#include <algorithm>
#include <cstddef>
#include <cstring>

namespace rgan {
namespace {

constexpr std::size_t kHeader = 64;
constexpr Verdict kMalformed{Problem::compressed_data, tags::pixel_data};

// Decode one segment into every `stride`-th byte of `cells`, from `first` on.
bool decode_segment(Bytes segment, std::size_t first, std::size_t stride,
                    std::span<std::uint8_t> cells) noexcept {
  std::size_t in = 0;
  std::size_t out = first;
  const std::size_t end = cells.size();
  while (out < end) {
    if (in == segment.size()) return false;
    const std::size_t control = segment[in++];
    if (control == 128) continue;
    const std::size_t count = control < 128 ? control + 1 : 257 - control;
    if ((end - out + stride - 1) / stride < count) return false;
    if (control < 128) {
      if (segment.size() - in < count) return false;
      for (std::size_t i = 0; i < count; ++i, out += stride) cells[out] = segment[in++];
    } else {
      if (in == segment.size()) return false;
      const std::uint8_t value = segment[in++];
      for (std::size_t i = 0; i < count; ++i, out += stride) cells[out] = value;
    }
  }
  // An encoder may leave a byte that makes the length even; more is not of this image.
  return segment.size() - in <= 1;
}

}  // namespace

Verdict find_fragment(Bytes file, const Element& element, Bytes& fragment,
                      std::size_t& at) noexcept {
  Walker walker(file, file.size(), element.value, true);
  for (int number = 0; number < 3; ++number) {  // offset table, fragment, end
    std::uint32_t tag = 0;
    std::uint32_t length = 0;
    if (const Verdict verdict = walker.item(tag, length); !verdict) return verdict;
    const bool is_end = number == 2;
    if (tag != (is_end ? tags::sequence_end : tags::item) || length == kUndefinedLength) {
      return kMalformed;
    }
    at = walker.at();
    if (is_end) break;
    if (number == 1) fragment = file.subspan(at, length);
    walker = Walker(file, file.size(), at + length, true);
  }
  return {};
}

Verdict decode_rle(Bytes fragment, int cell_size, std::span<std::uint8_t> cells) noexcept {
  const auto planes = static_cast<std::size_t>(cell_size);
  if (fragment.size() < kHeader || load32(fragment.data()) != planes) return kMalformed;
  for (std::size_t plane = 0; plane < planes; ++plane) {
    const std::size_t start = load32(fragment.data() + 4 + 4 * plane);
    const std::size_t end =
        plane + 1 == planes ? fragment.size() : load32(fragment.data() + 8 + 4 * plane);
    if (start < kHeader || start > end || end > fragment.size()) return kMalformed;
    // The first segment holds the most significant bytes.
    const std::size_t first = planes - 1 - plane;
    if (!decode_segment(fragment.subspan(start, end - start), first, planes, cells)) {
      return kMalformed;
    }
  }
  return {};
}

}  // namespace rgan
