// The wire format of Protocol Buffers, in which ONNX files are encoded.
//
// Source: "Encoding" in the documentation of Protocol Buffers. What is accepted here is what the
// runtimes' own parsers accept: a file must not be one model to the checks and another to them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "rgan/element.hpp"

namespace rgan::protobuf {

inline constexpr int kMaxNesting = 100;  // of messages and groups, as in Google's parsers

enum class Wire : std::uint8_t {
  varint = 0,
  fixed64 = 1,
  bytes = 2,
  group = 3,
  end_group = 4,
  fixed32 = 5,
};

// One field of a message. Of a group nothing but its number is kept.
struct Field {
  std::uint32_t number = 0;
  Wire wire = Wire::varint;
  std::uint64_t value = 0;  // of a varint
  Bytes bytes;              // of bytes: a string, a message or packed numbers
  Bytes whole;              // the field as it is encoded

  [[nodiscard]] bool is_varint(std::uint32_t wanted) const noexcept {
    return number == wanted && wire == Wire::varint;
  }
  [[nodiscard]] bool is_bytes(std::uint32_t wanted) const noexcept {
    return number == wanted && wire == Wire::bytes;
  }
  [[nodiscard]] std::string_view text() const noexcept {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }
};

// Reads the fields of one message in sequence. It allocates nothing, and never reads beyond the
// message, whose bytes must outlive it.
class FieldReader {
 public:
  // `nesting` counts the messages around this one.
  explicit FieldReader(Bytes message, int nesting = 0) noexcept
      : rest_(message), nesting_(nesting) {}

  // Read the next field; false at the end of the message. Throws FormatError.
  bool next(Field& field);

 private:
  Bytes take(std::uint64_t count);
  std::uint32_t take_tag();
  void take_value(Field& field);
  void skip_group(std::uint32_t number);

  Bytes rest_;
  int nesting_;
};

// Read one number of packed varints, from their beginning. Throws FormatError.
[[nodiscard]] std::uint64_t take_varint(Bytes& packed);

}  // namespace rgan::protobuf
