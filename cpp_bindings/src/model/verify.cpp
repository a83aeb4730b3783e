#include "verify.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <string_view>
#include <utility>

#include "format_error.hpp"
#include "onnx.hpp"
#include "sha256.hpp"

namespace rgan {
namespace {

using onnx::Attribute;
using onnx::Dimension;
using onnx::Graph;
using onnx::Model;
using onnx::Node;
using onnx::Tensor;
using onnx::ValueInfo;

constexpr std::string_view kCardKey = "rgan.card";
constexpr std::int64_t kOpset = 20;
constexpr std::int64_t kNewestIr = 10;

constexpr std::array<std::string_view, 18> kOperators = {"Add",
                                                         "AveragePool",
                                                         "Cast",
                                                         "Clip",
                                                         "Concat",
                                                         "Constant",
                                                         "Conv",
                                                         "DequantizeLinear",
                                                         "Div",
                                                         "LeakyRelu",
                                                         "Log",
                                                         "MaxPool",
                                                         "Mul",
                                                         "Pad",
                                                         "QuantizeLinear",
                                                         "Relu",
                                                         "Resize",
                                                         "Sub"};

// The data types of the constant tensors: by name, where the last of a name counts, and of any.
struct Kinds {
  std::map<std::string_view, std::int32_t> by_name;
  bool is_any_half = false;

  void add(std::string_view name, std::int32_t kind) {
    by_name[name] = kind;
    is_any_half |= kind == onnx::kFloat16;
  }
};

[[noreturn]] void refuse(const std::string& what) { throw FormatError(what); }

std::string quoted(std::string_view name) { return std::string("'").append(name).append("'"); }

bool is_float(std::int32_t kind) { return kind == onnx::kFloat || kind == onnx::kFloat16; }

std::string_view find_card(const Model& model) {
  const auto is_card = [](const auto& entry) { return entry.first == kCardKey; };
  if (std::ranges::count_if(model.metadata, is_card) != 1) {
    refuse(
        "an ONNX file without a model card (metadata key 'rgan.card'), so it is not a "
        "harmonization model; export one with `rgan-train export`");
  }
  return std::ranges::find_if(model.metadata, is_card)->second;
}

void check_versions(const Model& model) {
  std::map<std::string_view, std::int64_t> opsets;
  for (const auto& [domain, version] : model.opsets) {
    opsets[domain.empty() ? "ai.onnx" : domain] = version;
  }
  if (opsets.size() != 1 || opsets.begin()->first != "ai.onnx" ||
      opsets.begin()->second != kOpset) {
    refuse("operator sets other than ai.onnx 20");
  }
  if (model.ir_version > kNewestIr) {
    refuse("IR version " + std::to_string(model.ir_version) + ", at most 10 is known");
  }
  if (model.has_functions_or_training) {
    refuse("holds functions or training information, which are refused");
  }
}

void check_values(const std::vector<const ValueInfo*>& values,
                  const std::vector<std::string_view>& names) {
  const auto name_of = [](const ValueInfo* value) { return value->name; };
  if (!std::ranges::equal(values, names, {}, name_of)) {
    refuse("inputs or outputs are not those of a harmonization model of the card's format");
  }
  static const std::vector<Dimension> kImage = {std::string_view("batch"), std::int64_t{1},
                                                std::string_view("height"),
                                                std::string_view("width")};
  static const std::vector<Dimension> kOne = {std::int64_t{1}};
  for (const ValueInfo* value : values) {
    if (value->elem_type != onnx::kFloat) refuse(quoted(value->name) + " is not FLOAT");
    if (value->shape != (value->name == "pixel_spacing" ? kOne : kImage)) {
      refuse(quoted(value->name) + " has another shape than a harmonization model's");
    }
  }
}

void check_signature(const Graph& graph, int format) {
  std::set<std::string_view> initializers;
  for (const Tensor& tensor : graph.initializers) initializers.insert(tensor.name);
  std::vector<const ValueInfo*> inputs;
  for (const ValueInfo& value : graph.inputs) {
    if (!initializers.contains(value.name)) inputs.push_back(&value);
  }
  std::vector<const ValueInfo*> outputs;
  outputs.reserve(graph.outputs.size());
  for (const ValueInfo& value : graph.outputs) outputs.push_back(&value);
  if (format == 1) {
    check_values(inputs, {"hu"});
  } else {
    check_values(inputs, {"hu", "pixel_spacing"});
  }
  check_values(outputs, {"harmonized_hu"});
}

void check_nodes(const Graph& graph) {
  if (graph.has_sparse_initializer) refuse("holds sparse weights, which are refused");
  for (const Node& node : graph.nodes) {
    if (!node.domain.empty() && node.domain != "ai.onnx") {
      refuse("operator " + std::string(node.op_type) + " is not a standard one");
    }
    for (const Attribute& attribute : node.attributes) {
      if (attribute.has_graph) {
        refuse("operator " + std::string(node.op_type) + " holds a subgraph: refused");
      }
      if (attribute.has_sparse_tensor) refuse("holds sparse weights, which are refused");
    }
    if (std::ranges::find(kOperators, node.op_type) == kOperators.end()) {
      refuse("operator " + std::string(node.op_type) + " is not one that every runtime takes");
    }
  }
}

void refuse_external_data(const Tensor& tensor) {
  if (tensor.is_stored_elsewhere || tensor.has_external_entries) {
    refuse("stores weights in external files, which is refused");
  }
}

void refuse_external_data(const Graph& graph) {
  for (const Tensor& tensor : graph.initializers) refuse_external_data(tensor);
  for (const Node& node : graph.nodes) {
    for (const Attribute& attribute : node.attributes) {
      refuse_external_data(attribute.t);
      for (const Tensor& tensor : attribute.tensors) refuse_external_data(tensor);
    }
  }
}

Kinds find_kinds(const Graph& graph) {
  Kinds kinds;
  for (const Tensor& tensor : graph.initializers) kinds.add(tensor.name, tensor.data_type);
  for (const Node& node : graph.nodes) {
    if (node.op_type != "Constant") continue;
    const bool holds_a_tensor = node.attributes.size() == 1 &&
                                node.attributes.front().name == "value" && !node.outputs.empty();
    if (!holds_a_tensor) refuse("operator Constant must hold a tensor");
    kinds.add(node.outputs.front(), node.attributes.front().t.data_type);
  }
  return kinds;
}

std::int64_t cast_to(const Node& node) {
  const auto to = std::ranges::find(node.attributes, "to", &Attribute::name);
  return to == node.attributes.end() ? 0 : to->i;
}

bool is_cast_to(const Node& node, std::int32_t kind) {
  return node.op_type == "Cast" && cast_to(node) == kind;
}

// Floating point numbers, but for the sizes of Pad and for quantization.
bool may_take(const Node& node, std::int32_t kind) {
  if (is_float(kind)) return true;
  if (node.op_type == "Pad") return kind == onnx::kInt64;
  const bool is_quantization =
      node.op_type == "QuantizeLinear" || node.op_type == "DequantizeLinear";
  return is_quantization && (kind == onnx::kInt8 || kind == onnx::kUint8);
}

void check_types(const Graph& graph, const Kinds& kinds) {
  for (const Node& node : graph.nodes) {
    for (const std::string_view name : node.inputs) {
      const auto found = kinds.by_name.find(name);
      if (found != kinds.by_name.end() && !may_take(node, found->second)) {
        refuse("weights " + quoted(name) +
               " are neither FLOAT nor FLOAT16; export the model again with `rgan-train export`");
      }
    }
    if (node.op_type == "Cast" && !is_cast_to(node, onnx::kFloat) &&
        !is_cast_to(node, onnx::kFloat16)) {
      refuse("operator Cast may change to FLOAT and FLOAT16 only");
    }
  }
}

Precision find_precision(const Graph& graph, const Kinds& kinds) {
  const auto quantizes = [](const Node& node) { return node.op_type == "QuantizeLinear"; };
  if (std::ranges::any_of(graph.nodes, quantizes)) return Precision::int8;
  const auto casts = [](const Node& node) { return is_cast_to(node, onnx::kFloat16); };
  const bool is_fp16 = kinds.is_any_half || std::ranges::any_of(graph.nodes, casts);
  return is_fp16 ? Precision::fp16 : Precision::fp32;
}

}  // namespace

const char* to_name(Precision precision) noexcept {
  switch (precision) {
    case Precision::fp32:
      return "fp32";
    case Precision::fp16:
      return "fp16";
    case Precision::int8:
      return "int8";
  }
  return "";
}

VerifiedModel verify(std::vector<std::uint8_t> content) {
  if (content.size() > kMaxModelBytes) refuse("more bytes than the limit of 1 GiB");
  const Model model = onnx::parse(content);
  const Graph& graph = model.graph;
  if (graph.nodes.empty()) refuse("not an ONNX model: it has no graph");
  Card card = parse_card(find_card(model));
  check_versions(model);
  check_signature(graph, card.format);
  check_nodes(graph);
  refuse_external_data(graph);
  const Kinds kinds = find_kinds(graph);
  check_types(graph, kinds);
  const Precision precision = find_precision(graph, kinds);
  std::string hash = sha256(content);
  return {.content = std::move(content),
          .sha256 = std::move(hash),
          .card = std::move(card),
          .precision = precision};
}

}  // namespace rgan
