// What the checks of a model need of an ONNX file. Texts and numbers are views of the file's bytes.
//
// Source: onnx.proto of ONNX 1.23. Fields that occur twice are merged as Protocol Buffers says.
#pragma once

#include <cstdint>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "rgan/element.hpp"

namespace rgan::onnx {

// Values of TensorProto.DataType.
inline constexpr std::int32_t kFloat = 1;
inline constexpr std::int32_t kUint8 = 2;
inline constexpr std::int32_t kInt8 = 3;
inline constexpr std::int32_t kInt64 = 7;
inline constexpr std::int32_t kFloat16 = 10;

struct Tensor {
  std::string_view name;
  std::int32_t data_type = 0;
  bool is_stored_elsewhere = false;  // says data_location
  bool has_external_entries = false;
};

struct Attribute {
  std::string_view name;
  std::int64_t i = 0;
  Tensor t;
  std::vector<Tensor> tensors;
  bool has_graph = false;
  bool has_sparse_tensor = false;
};

struct Node {
  std::string_view op_type;
  std::string_view domain;
  std::vector<std::string_view> inputs;
  std::vector<std::string_view> outputs;
  std::vector<Attribute> attributes;
};

using Dimension = std::variant<std::int64_t, std::string_view>;

struct ValueInfo {
  std::string_view name;
  std::int32_t elem_type = 0;  // 0 for all but tensors
  std::vector<Dimension> shape;
};

struct Graph {
  std::vector<Node> nodes;
  std::vector<Tensor> initializers;
  std::vector<ValueInfo> inputs;
  std::vector<ValueInfo> outputs;
  bool has_sparse_initializer = false;
};

struct Model {
  std::int64_t ir_version = 0;
  std::vector<std::pair<std::string_view, std::int64_t>> opsets;  // domain and version
  std::vector<std::pair<std::string_view, std::string_view>> metadata;
  Graph graph;
  bool has_functions_or_training = false;
};

// Read a file, whose bytes must outlive the result. Throws FormatError if any message in it is not
// well-formed, whether or not it is kept.
[[nodiscard]] Model parse(Bytes file);

}  // namespace rgan::onnx
