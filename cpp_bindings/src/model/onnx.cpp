#include "onnx.hpp"

#include "protobuf.hpp"
#include "well_formed.hpp"

namespace rgan::onnx {
namespace {

using protobuf::Field;
using protobuf::FieldReader;

constexpr std::uint64_t kDefaultLocation = 0;
constexpr std::uint64_t kExternalLocation = 1;

// Call `take` with each field of a message. Each function below may be called again for a message
// that goes on later in the file, and adds to what it has.
template <typename Take>
void for_each_field(Bytes message, Take take) {
  FieldReader reader(message);
  Field field;
  while (reader.next(field)) take(field);
}

void read_tensor(Bytes message, Tensor& tensor) {
  for_each_field(message, [&](const Field& field) {
    if (field.is_varint(2)) tensor.data_type = static_cast<std::int32_t>(field.value);
    if (field.is_bytes(8)) tensor.name = field.text();
    // Another value of this enumeration counts as unknown and changes nothing.
    const std::uint64_t location = field.value & 0xffffffff;
    tensor.has_external_entries |= field.is_bytes(13);
    if (field.is_varint(14) && location <= kExternalLocation) {
      tensor.is_stored_elsewhere = location != kDefaultLocation;
    }
  });
}

void read_attribute(Bytes message, Attribute& attribute) {
  for_each_field(message, [&](const Field& field) {
    if (field.is_bytes(1)) attribute.name = field.text();
    if (field.is_varint(3)) attribute.i = static_cast<std::int64_t>(field.value);
    if (field.is_bytes(5)) read_tensor(field.bytes, attribute.t);
    if (field.is_bytes(10)) read_tensor(field.bytes, attribute.tensors.emplace_back());
    attribute.has_graph |= field.is_bytes(6) || field.is_bytes(11);
    attribute.has_sparse_tensor |= field.is_bytes(22) || field.is_bytes(23);
  });
}

void read_node(Bytes message, Node& node) {
  for_each_field(message, [&](const Field& field) {
    if (field.is_bytes(1)) node.inputs.push_back(field.text());
    if (field.is_bytes(2)) node.outputs.push_back(field.text());
    if (field.is_bytes(4)) node.op_type = field.text();
    if (field.is_bytes(5)) read_attribute(field.bytes, node.attributes.emplace_back());
    if (field.is_bytes(7)) node.domain = field.text();
  });
}

void read_dimension(Bytes message, Dimension& dimension) {
  for_each_field(message, [&](const Field& field) {
    if (field.is_varint(1)) dimension = static_cast<std::int64_t>(field.value);
    if (field.is_bytes(2)) dimension = field.text();
  });
}

void read_shape(Bytes message, std::vector<Dimension>& shape) {
  for_each_field(message, [&](const Field& field) {
    if (field.is_bytes(1)) read_dimension(field.bytes, shape.emplace_back());
  });
}

void read_tensor_type(Bytes message, ValueInfo& value) {
  for_each_field(message, [&](const Field& field) {
    if (field.is_varint(1)) value.elem_type = static_cast<std::int32_t>(field.value);
    if (field.is_bytes(2)) read_shape(field.bytes, value.shape);
  });
}

// A type is one of several kinds; another kind takes the place of the one before.
void read_type(Bytes message, ValueInfo& value) {
  for_each_field(message, [&](const Field& field) {
    if (field.is_bytes(1)) read_tensor_type(field.bytes, value);
    for (const std::uint32_t other : {4, 5, 7, 8, 9}) {
      if (!field.is_bytes(other)) continue;
      value.elem_type = 0;
      value.shape.clear();
    }
  });
}

void read_value_info(Bytes message, ValueInfo& value) {
  for_each_field(message, [&](const Field& field) {
    if (field.is_bytes(1)) value.name = field.text();
    if (field.is_bytes(2)) read_type(field.bytes, value);
  });
}

void read_graph(Bytes message, Graph& graph) {
  for_each_field(message, [&](const Field& field) {
    if (field.is_bytes(1)) read_node(field.bytes, graph.nodes.emplace_back());
    if (field.is_bytes(5)) read_tensor(field.bytes, graph.initializers.emplace_back());
    if (field.is_bytes(11)) read_value_info(field.bytes, graph.inputs.emplace_back());
    if (field.is_bytes(12)) read_value_info(field.bytes, graph.outputs.emplace_back());
    graph.has_sparse_initializer |= field.is_bytes(15);
  });
}

void read_opset(Bytes message, Model& model) {
  auto& opset = model.opsets.emplace_back();
  for_each_field(message, [&](const Field& field) {
    if (field.is_bytes(1)) opset.first = field.text();
    if (field.is_varint(2)) opset.second = static_cast<std::int64_t>(field.value);
  });
}

void read_metadata(Bytes message, Model& model) {
  auto& entry = model.metadata.emplace_back();
  for_each_field(message, [&](const Field& field) {
    if (field.is_bytes(1)) entry.first = field.text();
    if (field.is_bytes(2)) entry.second = field.text();
  });
}

}  // namespace

Model parse(Bytes file) {
  require_well_formed(file);
  Model model;
  for_each_field(file, [&](const Field& field) {
    if (field.is_varint(1)) model.ir_version = static_cast<std::int64_t>(field.value);
    if (field.is_bytes(7)) read_graph(field.bytes, model.graph);
    if (field.is_bytes(8)) read_opset(field.bytes, model);
    if (field.is_bytes(14)) read_metadata(field.bytes, model);
    model.has_functions_or_training |= field.is_bytes(20) || field.is_bytes(25);
  });
  return model;
}

}  // namespace rgan::onnx
