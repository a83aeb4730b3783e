#include "rgan/rle.hpp"

namespace rgan {
namespace {

constexpr std::size_t kHeader = 64;
constexpr Status kMalformed{Problem::compressed_data, tags::pixel_data};

// Decode one segment into every `stride`-th byte of `cells`, from `first` on. Return whether it is
// well formed.
[[nodiscard]] bool decode_segment(Bytes segment, std::size_t first, std::size_t stride,
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
  // An encoder may add a byte to make the length even. More does not belong to this image.
  return segment.size() - in <= 1;
}

}  // namespace

Status find_fragment(Bytes file, const Element& element, Bytes& fragment,
                     std::size_t& end) noexcept {
  ElementReader reader(file, file.size(), element.value, true);
  for (int number = 0; number < 3; ++number) {  // offset table, fragment, delimiter
    Item item;
    if (const Status status = reader.read_item(item); !status) return status;
    const bool is_delimiter = number == 2;
    if (item.tag != (is_delimiter ? tags::sequence_end : tags::item) ||
        item.length == kUndefinedLength) {
      return kMalformed;
    }
    end = reader.offset();
    if (is_delimiter) break;
    if (number == 1) fragment = file.subspan(end, item.length);
    reader = ElementReader(file, file.size(), end + item.length, true);
  }
  return {};
}

Status decode_rle(Bytes fragment, int cell_size, std::span<std::uint8_t> cells) noexcept {
  const auto planes = static_cast<std::size_t>(cell_size);
  if (fragment.size() < kHeader || load32(fragment.data()) != planes) return kMalformed;
  for (std::size_t plane = 0; plane < planes; ++plane) {
    const std::uint8_t* offset = fragment.data() + 4 + (4 * plane);
    const std::size_t start = load32(offset);
    const std::size_t end = plane + 1 == planes ? fragment.size() : load32(offset + 4);
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
