// The elements of a little endian DICOM data set, one after the other (PS3.5 section 7).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "rgan/status.hpp"

namespace rgan {

// Bytes that someone else owns and keeps alive.
using Bytes = std::span<const std::uint8_t>;

inline constexpr std::uint32_t kUndefinedLength = 0xffffffff;
inline constexpr int kMaxNesting = 64;
inline constexpr int kMaxElements = 100'000;

// Return the little endian number that `bytes` begins with.
[[nodiscard]] inline std::uint16_t load16(const std::uint8_t* bytes) noexcept {
  return static_cast<std::uint16_t>(bytes[0] | (bytes[1] << 8));
}

[[nodiscard]] inline std::uint32_t load32(const std::uint8_t* bytes) noexcept {
  return load16(bytes) | (static_cast<std::uint32_t>(load16(bytes + 2)) << 16);
}

// Return the number that the two letters of a value representation (VR) make in a file.
[[nodiscard]] constexpr std::uint16_t vr(std::string_view name) noexcept {
  return static_cast<std::uint16_t>(static_cast<unsigned char>(name[0]) |
                                    (static_cast<unsigned char>(name[1]) << 8));
}

[[nodiscard]] bool is_known_vr(std::uint16_t name) noexcept;

// Whether the header of an element with this VR takes 12 bytes and not 8 (PS3.5 7.1.2).
[[nodiscard]] bool has_long_form(std::uint16_t name) noexcept;

namespace tags {
inline constexpr std::uint32_t item = 0xfffee000;
inline constexpr std::uint32_t item_end = 0xfffee00d;
inline constexpr std::uint32_t sequence_end = 0xfffee0dd;
inline constexpr std::uint32_t pixel_data = 0x7fe00010;
}  // namespace tags

// The header of an element. Offsets count from the beginning of the bytes that were read.
struct Element {
  std::uint32_t tag = 0;
  std::uint16_t vr = 0;      // 0 in implicit VR
  std::uint32_t length = 0;  // kUndefinedLength: items follow, up to a delimiter
  std::size_t start = 0;     // offset of the element
  std::size_t value = 0;     // offset of its value
};

// The header of an item or a delimiter in a sequence (PS3.5 7.5).
struct Item {
  std::uint32_t tag = 0;
  std::uint32_t length = 0;
};

// Reads elements in sequence. It checks each length against the bytes that are left, bounds
// nesting and the number of elements, and reports whatever does not plainly follow the standard.
// It allocates nothing, throws nothing, and never reads beyond `bytes`, which must outlive it.
//
// `bytes` may be only the head of a file of `file_size` bytes. The problem is `beyond_head` where
// the file goes on as it should, and `truncated` where no more of it would help.
class ElementReader {
 public:
  ElementReader(Bytes bytes, std::size_t file_size, std::size_t offset, bool explicit_vr) noexcept
      : bytes_(bytes), file_size_(file_size), offset_(offset), explicit_vr_(explicit_vr) {}

  // Where the next thing begins.
  [[nodiscard]] std::size_t offset() const noexcept { return offset_; }
  [[nodiscard]] bool is_at_end() const noexcept { return offset_ == file_size_; }
  [[nodiscard]] bool is_explicit_vr() const noexcept { return explicit_vr_; }

  // Whether the next thing is the delimiter of an item of undefined length.
  [[nodiscard]] bool is_at_item_end() const noexcept;

  // Read the header of the next element. Its value comes next.
  Status read_header(Element& element) noexcept;

  // Skip the value of the element whose header was just read.
  Status skip_value(const Element& element) noexcept;

  // Read the header of the next item or delimiter. Its content comes next.
  Status read_item(Item& item) noexcept;

 private:
  Status skip_value(const Element& element, int depth) noexcept;
  Status skip_items(std::uint32_t sequence, int depth) noexcept;
  Status skip_elements(int depth) noexcept;

  // Why `count` more bytes cannot be read now.
  [[nodiscard]] Problem find_missing(std::size_t count) const noexcept {
    return is_in_file(count) ? Problem::beyond_head : Problem::truncated;
  }

  // Whether `count` more bytes can be read now, or are in the file at all.
  [[nodiscard]] bool can_read(std::size_t count) const noexcept {
    return offset_ <= bytes_.size() && bytes_.size() - offset_ >= count;
  }
  [[nodiscard]] bool is_in_file(std::size_t count) const noexcept {
    return file_size_ - offset_ >= count;
  }

  Bytes bytes_;
  std::size_t file_size_;
  std::size_t offset_;
  bool explicit_vr_;
  int elements_left_ = kMaxElements;
};

}  // namespace rgan
