#include "well_formed.hpp"

#include <array>
#include <cstdint>
#include <span>

#include "format_error.hpp"
#include "protobuf.hpp"

namespace rgan::onnx {
namespace {

using protobuf::Field;
using protobuf::Wire;

struct Message;

// A field that holds a message, or numbers that may be packed. All others have no inner form.
struct Inner {
  std::uint32_t number;
  const Message* message;  // null for packed numbers
  Wire packed = Wire::varint;
};

struct Message {
  std::span<const Inner> fields;
};

extern const Message kGraph;
extern const Message kNode;
extern const Message kType;

constexpr Message kPlain{};
constexpr std::array kTensorFields{
    Inner{1, nullptr},  Inner{3, &kPlain},  Inner{4, nullptr, Wire::fixed32},
    Inner{5, nullptr},  Inner{7, nullptr},  Inner{10, nullptr, Wire::fixed64},
    Inner{11, nullptr}, Inner{13, &kPlain}, Inner{16, &kPlain}};
constexpr Message kTensor{kTensorFields};
constexpr std::array kSparseFields{Inner{1, &kTensor}, Inner{2, &kTensor}, Inner{3, nullptr}};
constexpr Message kSparse{kSparseFields};

constexpr std::array kShapeFields{Inner{1, &kPlain}};
constexpr Message kShape{kShapeFields};
constexpr std::array kTensorTypeFields{Inner{2, &kShape}};
constexpr Message kTensorType{kTensorTypeFields};
constexpr std::array kListTypeFields{Inner{1, &kType}};  // of sequences and optional values
constexpr Message kListType{kListTypeFields};
constexpr std::array kMapTypeFields{Inner{2, &kType}};
constexpr Message kMapType{kMapTypeFields};
constexpr std::array kTypeFields{Inner{1, &kTensorType}, Inner{4, &kListType},
                                 Inner{5, &kMapType},    Inner{7, &kPlain},
                                 Inner{8, &kTensorType}, Inner{9, &kListType}};
constexpr Message kType{kTypeFields};

constexpr std::array kValueInfoFields{Inner{2, &kType}, Inner{4, &kPlain}};
constexpr Message kValueInfo{kValueInfoFields};
constexpr std::array kAttributeFields{
    Inner{5, &kTensor},  Inner{6, &kGraph},  Inner{7, nullptr, Wire::fixed32},
    Inner{8, nullptr},   Inner{10, &kTensor}, Inner{11, &kGraph},
    Inner{14, &kType},   Inner{15, &kType},  Inner{22, &kSparse},
    Inner{23, &kSparse}};
constexpr Message kAttribute{kAttributeFields};

constexpr std::array kIndexListFields{Inner{2, nullptr}};
constexpr Message kIndexList{kIndexListFields};
constexpr std::array kShardedDimFields{Inner{2, &kPlain}};
constexpr Message kShardedDim{kShardedDimFields};
constexpr std::array kShardingFields{Inner{2, nullptr}, Inner{3, &kIndexList},
                                     Inner{4, &kShardedDim}};
constexpr Message kSharding{kShardingFields};
constexpr std::array kNodeDeviceFields{Inner{2, &kSharding}};
constexpr Message kNodeDevice{kNodeDeviceFields};
constexpr std::array kNodeFields{Inner{5, &kAttribute}, Inner{9, &kPlain},
                                 Inner{10, &kNodeDevice}};
constexpr Message kNode{kNodeFields};

constexpr std::array kAnnotationFields{Inner{2, &kPlain}};
constexpr Message kAnnotation{kAnnotationFields};
constexpr std::array kGraphFields{Inner{1, &kNode},       Inner{5, &kTensor},
                                  Inner{11, &kValueInfo}, Inner{12, &kValueInfo},
                                  Inner{13, &kValueInfo}, Inner{14, &kAnnotation},
                                  Inner{15, &kSparse},    Inner{16, &kPlain}};
constexpr Message kGraph{kGraphFields};

constexpr std::array kTrainingFields{Inner{1, &kGraph}, Inner{2, &kGraph}, Inner{3, &kPlain},
                                     Inner{4, &kPlain}};
constexpr Message kTraining{kTrainingFields};
constexpr std::array kFunctionFields{Inner{7, &kNode}, Inner{9, &kPlain}, Inner{11, &kAttribute},
                                     Inner{12, &kValueInfo}, Inner{14, &kPlain}};
constexpr Message kFunction{kFunctionFields};
constexpr std::array kModelFields{Inner{7, &kGraph},     Inner{8, &kPlain},
                                  Inner{14, &kPlain},    Inner{20, &kTraining},
                                  Inner{25, &kFunction}, Inner{26, &kPlain}};
constexpr Message kModel{kModelFields};

void require_packed(Bytes packed, Wire wire) {
  const std::size_t width = wire == Wire::fixed32 ? 4 : 8;
  if (wire != Wire::varint && packed.size() % width != 0) {
    throw FormatError("not an ONNX file, or a truncated one");
  }
  while (wire == Wire::varint && !packed.empty()) {
    [[maybe_unused]] const std::uint64_t value = protobuf::take_varint(packed);
  }
}

void require_well_formed(Bytes bytes, const Message& message, int nesting) {
  if (nesting > protobuf::kMaxNesting) throw FormatError("messages are nested too deeply");
  protobuf::FieldReader reader(bytes, nesting);
  Field field;
  while (reader.next(field)) {
    for (const Inner& inner : message.fields) {
      if (!field.is_bytes(inner.number)) continue;
      if (inner.message == nullptr) {
        require_packed(field.bytes, inner.packed);
      } else {
        require_well_formed(field.bytes, *inner.message, nesting + 1);
      }
    }
  }
}

}  // namespace

void require_well_formed(Bytes file) { require_well_formed(file, kModel, 0); }

}  // namespace rgan::onnx
