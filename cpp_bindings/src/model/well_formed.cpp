#include "well_formed.hpp"

#include <array>
#include <cstdint>
#include <span>
#include <string>

#include "format_error.hpp"
#include "protobuf.hpp"

namespace rgan::onnx {
namespace {

using protobuf::Field;
using protobuf::Wire;

constexpr int kMostFields = 100'000;

struct Message;

// A field that holds a message, or numbers that may be packed. All others have no inner form.
struct Inner {
  std::uint32_t number;
  const Message* message = nullptr;  // null for packed numbers
  Wire packed = Wire::varint;
  bool is_counted = false;  // each of the packed numbers, as if it were a field
};

struct Message {
  std::span<const Inner> fields;
};

constexpr Inner holds(std::uint32_t number, const Message& message) {
  return {.number = number, .message = &message};
}

constexpr Inner packed(std::uint32_t number, Wire wire = Wire::varint) {
  return {.number = number, .packed = wire};
}

constexpr Inner dimensions(std::uint32_t number) { return {.number = number, .is_counted = true}; }

extern const Message kGraph;
extern const Message kNode;
extern const Message kType;

constexpr Message kPlain{};
constexpr std::array kTensorFields{dimensions(1), holds(3, kPlain),  packed(4, Wire::fixed32),
                                   packed(5),     packed(7),         packed(10, Wire::fixed64),
                                   packed(11),    holds(13, kPlain), holds(16, kPlain)};
constexpr Message kTensor{kTensorFields};
constexpr std::array kSparseFields{holds(1, kTensor), holds(2, kTensor), dimensions(3)};
constexpr Message kSparse{kSparseFields};

constexpr std::array kShapeFields{holds(1, kPlain)};
constexpr Message kShape{kShapeFields};
constexpr std::array kTensorTypeFields{holds(2, kShape)};
constexpr Message kTensorType{kTensorTypeFields};
constexpr std::array kListTypeFields{holds(1, kType)};  // of sequences and optional values
constexpr Message kListType{kListTypeFields};
constexpr std::array kMapTypeFields{holds(2, kType)};
constexpr Message kMapType{kMapTypeFields};
constexpr std::array kTypeFields{holds(1, kTensorType), holds(4, kListType),   holds(5, kMapType),
                                 holds(7, kPlain),      holds(8, kTensorType), holds(9, kListType)};
constexpr Message kType{kTypeFields};

constexpr std::array kValueInfoFields{holds(2, kType), holds(4, kPlain)};
constexpr Message kValueInfo{kValueInfoFields};
constexpr std::array kAttributeFields{
    holds(5, kTensor),  holds(6, kGraph),  packed(7, Wire::fixed32), packed(8),
    holds(10, kTensor), holds(11, kGraph), holds(14, kType),         holds(15, kType),
    holds(22, kSparse), holds(23, kSparse)};
constexpr Message kAttribute{kAttributeFields};

constexpr std::array kIndexListFields{packed(2)};
constexpr Message kIndexList{kIndexListFields};
constexpr std::array kShardedDimFields{holds(2, kPlain)};
constexpr Message kShardedDim{kShardedDimFields};
constexpr std::array kShardingFields{packed(2), holds(3, kIndexList), holds(4, kShardedDim)};
constexpr Message kSharding{kShardingFields};
constexpr std::array kNodeDeviceFields{holds(2, kSharding)};
constexpr Message kNodeDevice{kNodeDeviceFields};
constexpr std::array kNodeFields{holds(5, kAttribute), holds(9, kPlain), holds(10, kNodeDevice)};
constexpr Message kNode{kNodeFields};

constexpr std::array kAnnotationFields{holds(2, kPlain)};
constexpr Message kAnnotation{kAnnotationFields};
constexpr std::array kGraphFields{
    holds(1, kNode),       holds(5, kTensor),      holds(11, kValueInfo), holds(12, kValueInfo),
    holds(13, kValueInfo), holds(14, kAnnotation), holds(15, kSparse),    holds(16, kPlain)};
constexpr Message kGraph{kGraphFields};

constexpr std::array kTrainingFields{holds(1, kGraph), holds(2, kGraph), holds(3, kPlain),
                                     holds(4, kPlain)};
constexpr Message kTraining{kTrainingFields};
constexpr std::array kFunctionFields{holds(7, kNode), holds(9, kPlain), holds(11, kAttribute),
                                     holds(12, kValueInfo), holds(14, kPlain)};
constexpr Message kFunction{kFunctionFields};
constexpr std::array kModelFields{holds(7, kGraph),     holds(8, kPlain),     holds(14, kPlain),
                                  holds(20, kTraining), holds(25, kFunction), holds(26, kPlain)};
constexpr Message kModel{kModelFields};

void count(int& fields) {
  if (++fields <= kMostFields) return;
  throw FormatError("more than " + std::to_string(kMostFields) +
                    " fields of Protocol Buffers, the limit for a model");
}

void require_packed(Bytes packed, const Inner& inner, int& fields) {
  const std::size_t width = inner.packed == Wire::fixed32 ? 4 : 8;
  if (inner.packed != Wire::varint && packed.size() % width != 0) {
    throw FormatError("not an ONNX file, or a truncated one");
  }
  while (inner.packed == Wire::varint && !packed.empty()) {
    [[maybe_unused]] const std::uint64_t value = protobuf::take_varint(packed);
    if (inner.is_counted) count(fields);
  }
}

void require_well_formed(Bytes bytes, const Message& message, int nesting, int& fields) {
  if (nesting > protobuf::kMaxNesting) throw FormatError("messages are nested too deeply");
  protobuf::FieldReader reader(bytes, nesting);
  Field field;
  while (reader.next(field)) {
    count(fields);
    for (const Inner& inner : message.fields) {
      if (!field.is_bytes(inner.number)) continue;
      if (inner.message == nullptr) {
        require_packed(field.bytes, inner, fields);
      } else {
        require_well_formed(field.bytes, *inner.message, nesting + 1, fields);
      }
    }
  }
}

}  // namespace

void require_well_formed(Bytes file) {
  int fields = 0;
  require_well_formed(file, kModel, 0, fields);
}

}  // namespace rgan::onnx
