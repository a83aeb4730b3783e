#include "protobuf.hpp"

#include <limits>

#include "format_error.hpp"

namespace rgan::protobuf {
namespace {

constexpr int kLongestVarint = 10;
constexpr int kLongestTag = 5;  // also the longest length

[[noreturn]] void refuse() { throw FormatError("not an ONNX file, or a truncated one"); }

std::uint64_t take_number(Bytes& rest, int longest) {
  std::uint64_t value = 0;
  for (int i = 0; i < longest && !rest.empty(); ++i) {
    const std::uint8_t byte = rest.front();
    rest = rest.subspan(1);
    value |= static_cast<std::uint64_t>(byte & 0x7f) << (7 * i);
    if (byte < 0x80) return value;
  }
  refuse();
}

Field make_field(std::uint32_t tag) {
  Field field;
  field.number = tag >> 3;
  field.wire = static_cast<Wire>(tag & 7);
  return field;
}

}  // namespace

std::uint64_t take_varint(Bytes& packed) { return take_number(packed, kLongestVarint); }

bool FieldReader::next(Field& field) {
  if (rest_.empty()) return false;
  const Bytes before = rest_;
  const std::uint32_t tag = take_tag();
  field = make_field(tag);
  take_value(field);
  field.whole = before.first(before.size() - rest_.size());
  return true;
}

Bytes FieldReader::take(std::uint64_t count) {
  if (count > rest_.size()) refuse();
  const Bytes taken = rest_.first(count);
  rest_ = rest_.subspan(count);
  return taken;
}

std::uint32_t FieldReader::take_tag() {
  const std::uint64_t tag = take_number(rest_, kLongestTag);
  if (tag >> 3 == 0 || tag > std::numeric_limits<std::uint32_t>::max()) refuse();
  return static_cast<std::uint32_t>(tag);
}

void FieldReader::take_value(Field& field) {
  switch (field.wire) {
    case Wire::varint:
      field.value = take_number(rest_, kLongestVarint);
      return;
    case Wire::fixed64:
      take(8);
      return;
    case Wire::bytes:
      field.bytes = take(take_number(rest_, kLongestTag));
      return;
    case Wire::group:
      skip_group(field.number);
      return;
    case Wire::fixed32:
      take(4);
      return;
    case Wire::end_group:
      break;
  }
  refuse();
}

void FieldReader::skip_group(std::uint32_t number) {
  if (++nesting_ > kMaxNesting) refuse();
  for (;;) {
    const std::uint32_t tag = take_tag();
    Field field = make_field(tag);
    if (field.wire == Wire::end_group) {
      if (field.number != number) refuse();
      break;
    }
    take_value(field);
  }
  --nesting_;
}

}  // namespace rgan::protobuf
