// The elements of a little endian DICOM data set, one after the other (PS3.5 section 7).
//
// A Walker checks every length against the bytes that are left, bounds nesting and the number
// of elements, and stops with a Verdict at whatever is not plainly as the standard has it. It
// allocates nothing, throws nothing, and reads nothing beyond its span. The span may be only
// the head of a file: then `truncated` also means that the next element lies beyond it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "rgan/problem.hpp"

namespace rgan {

using Bytes = std::span<const std::uint8_t>;

inline constexpr std::uint32_t kUndefinedLength = 0xffffffff;
inline constexpr int kMaxNesting = 64;
inline constexpr int kMaxElements = 100'000;

inline std::uint16_t load16(const std::uint8_t* bytes) noexcept {
  return static_cast<std::uint16_t>(bytes[0] | bytes[1] << 8);
}

inline std::uint32_t load32(const std::uint8_t* bytes) noexcept {
  return static_cast<std::uint32_t>(load16(bytes)) | static_cast<std::uint32_t>(load16(bytes + 2))
                                                         << 16;
}

// A value representation as its two characters, `vr("CS")`; 0 for none (implicit VR).
constexpr std::uint16_t vr(const char (&name)[3]) noexcept {
  return static_cast<std::uint16_t>(static_cast<unsigned char>(name[0]) |
                                    static_cast<unsigned char>(name[1]) << 8);
}

bool is_known_vr(std::uint16_t name) noexcept;
bool has_long_form(std::uint16_t name) noexcept;  // 12 bytes of header, not 8

namespace tags {
inline constexpr std::uint32_t item = 0xfffee000;
inline constexpr std::uint32_t item_end = 0xfffee00d;
inline constexpr std::uint32_t sequence_end = 0xfffee0dd;
inline constexpr std::uint32_t pixel_data = 0x7fe00010;
}  // namespace tags

struct Element {
  std::uint32_t tag = 0;
  std::uint16_t vr = 0;      // 0 in implicit VR
  std::uint32_t length = 0;  // kUndefinedLength: items follow, up to a delimiter
  std::size_t start = 0;     // of the element in the span
  std::size_t value = 0;     // of its value

  bool is_private() const noexcept { return (tag >> 16 & 1) != 0; }
};

class Walker {
 public:
  // `total` is the size of the whole file, of which `bytes` is the head or all.
  Walker(Bytes bytes, std::size_t total, std::size_t at, bool explicit_vr) noexcept
      : bytes_(bytes), total_(total), at_(at), explicit_vr_(explicit_vr) {}

  std::size_t at() const noexcept { return at_; }
  bool at_end() const noexcept { return at_ == total_; }
  bool explicit_vr() const noexcept { return explicit_vr_; }

  // Whether the next thing is the end of an item of undefined length.
  bool is_at_item_end() const noexcept;

  // Read the header of the next element; its value is next.
  Verdict header(Element& element) noexcept;

  // Go past the value of an element whose header was just read.
  Verdict skip(const Element& element) noexcept;

  // Read the tag and length of an item or delimiter; its content is next.
  Verdict item(std::uint32_t& tag, std::uint32_t& length) noexcept;

 private:
  Verdict skip_items(std::uint32_t tag, int depth) noexcept;
  Verdict skip_elements(int depth) noexcept;
  Verdict skip(const Element& element, int depth) noexcept;
  bool shows(std::size_t count) const noexcept {
    return at_ <= bytes_.size() && bytes_.size() - at_ >= count;
  }
  bool has(std::size_t count) const noexcept { return total_ - at_ >= count; }

  Bytes bytes_;
  std::size_t total_;
  std::size_t at_;
  bool explicit_vr_;
  int elements_left_ = kMaxElements;
};

}  // namespace rgan
