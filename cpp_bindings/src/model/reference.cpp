#include "reference.hpp"

#include <bit>
#include <cmath>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "../append.hpp"
#include "format_error.hpp"
#include "onnx.hpp"
#include "protobuf.hpp"

namespace rgan {
namespace {

using protobuf::Field;
using protobuf::FieldReader;
using protobuf::Wire;

using Content = std::vector<std::uint8_t>;

void append_varint(Content& out, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) out.push_back(static_cast<std::uint8_t>(value | 0x80));
  out.push_back(static_cast<std::uint8_t>(value));
}

void append_number(Content& out, std::uint32_t field, std::uint64_t value) {
  append_varint(out, field << 3 | static_cast<std::uint32_t>(Wire::varint));
  append_varint(out, value);
}

void append_bytes(Content& out, std::uint32_t field, Bytes bytes) {
  append_varint(out, field << 3 | static_cast<std::uint32_t>(Wire::bytes));
  append_varint(out, bytes.size());
  append(out, bytes);
}

void append_text(Content& out, std::uint32_t field, std::string_view text) {
  append_bytes(out, field, {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
}

// Copy a message. `change` is called with each field, and returns true if it has written another
// one, or none, in its place.
template <typename Change>
Content rewrite(Bytes message, Change change) {
  Content out;
  FieldReader reader(message);
  Field field;
  while (reader.next(field)) {
    if (!change(field, out)) append(out, field.whole);
  }
  return out;
}

// Copy a model, and change each field of its graph.
template <typename Change>
Content rewrite_graph(Bytes model, Change change) {
  return rewrite(model, [&](const Field& field, Content& out) {
    if (!field.is_bytes(7)) return false;
    append_bytes(out, 7, rewrite(field.bytes, change));
    return true;
  });
}

float widen(std::uint16_t half) {
  const int exponent = half >> 10 & 0x1f;
  const int fraction = half & 0x3ff;
  float value = 0;
  if (exponent == 0x1f) {
    value = fraction == 0 ? HUGE_VALF : NAN;
  } else if (exponent == 0) {
    value = std::ldexp(static_cast<float>(fraction), -24);
  } else {
    value = std::ldexp(static_cast<float>(fraction | 0x400), exponent - 25);
  }
  return (half & 0x8000) != 0 ? -value : value;
}

void append_widened(Content& out, std::uint16_t half) {
  append32(out, std::bit_cast<std::uint32_t>(widen(half)));
}

// A tensor stores float16 numbers as bytes, or each as an integer of its bits.
Content widen_tensor(Bytes message) {
  Content values;
  bool is_half = false;
  const auto take_integer = [&](std::uint64_t bits) {
    append_widened(values, static_cast<std::uint16_t>(bits));
  };
  Content widened = rewrite(message, [&](const Field& field, Content&) {
    if (field.is_varint(2)) is_half = static_cast<std::int32_t>(field.value) == onnx::kFloat16;
    if (field.is_varint(5)) take_integer(field.value);
    if (field.is_bytes(5)) {
      for (Bytes packed = field.bytes; !packed.empty();)
        take_integer(protobuf::take_varint(packed));
    }
    if (field.is_bytes(9)) {
      for (std::size_t i = 0; i + 1 < field.bytes.size(); i += 2) {
        take_integer(field.bytes[i] | static_cast<std::uint32_t>(field.bytes[i + 1]) << 8);
      }
    }
    return field.is_varint(2) || field.is_varint(5) || field.is_bytes(5) || field.is_bytes(9);
  });
  if (!is_half) return {message.begin(), message.end()};
  append_number(widened, 2, onnx::kFloat);
  append_bytes(widened, 9, values);
  return widened;
}

Content widen_attribute(Bytes message) {
  bool is_target = false;  // of a Cast
  FieldReader reader(message);
  for (Field field; reader.next(field);) {
    if (field.is_bytes(1)) is_target = field.text() == "to";
  }
  return rewrite(message, [&](const Field& field, Content& out) {
    if (field.is_bytes(5)) {
      append_bytes(out, 5, widen_tensor(field.bytes));
      return true;
    }
    if (!is_target || !field.is_varint(3) || field.value != onnx::kFloat16) return false;
    append_number(out, 3, onnx::kFloat);
    return true;
  });
}

Content widen_node(Bytes message) {
  return rewrite(message, [](const Field& field, Content& out) {
    if (field.is_bytes(5)) append_bytes(out, 5, widen_attribute(field.bytes));
    return field.is_bytes(5);
  });
}

Content widen_model(Bytes model) {
  return rewrite_graph(model, [](const Field& field, Content& out) {
    if (field.is_bytes(1)) append_bytes(out, 1, widen_node(field.bytes));
    if (field.is_bytes(5)) append_bytes(out, 5, widen_tensor(field.bytes));
    // 13: the types of tensors between nodes, which are no longer true
    return field.is_bytes(1) || field.is_bytes(5) || field.is_bytes(13);
  });
}

// Removes pairs of QuantizeLinear and DequantizeLinear. Nodes come in topological order.
class Stripper {
 public:
  // Called with each node in turn. Returns it without pairs before it; nothing for one of a pair.
  Content strip_node(Bytes message) {
    const Names names = read_names(message);
    const bool is_pair = names.op_type == "QuantizeLinear" || names.op_type == "DequantizeLinear";
    if (is_pair) constants_.insert(names.others.begin(), names.others.end());
    if (names.op_type == "QuantizeLinear") {
      rounded_[names.output] = original(names.input);
      return {};
    }
    if (names.op_type == "DequantizeLinear") {
      const auto found = rounded_.find(names.input);
      if (found == rounded_.end()) {
        throw FormatError("tensor '" + names.input + "' is stored in integers, so its float32 " +
                          "values are lost");
      }
      original_[names.output] = found->second;
      return {};
    }
    return rewrite(message, [&](const Field& field, Content& out) {
      if (!field.is_bytes(1)) return false;
      const std::string name = original(std::string(field.text()));
      used_.insert(name);
      append_text(out, 1, name);
      return true;
    });
  }

  // Whether no node but those of pairs, which are removed, takes this tensor. Only after all nodes.
  [[nodiscard]] bool is_left_over(const std::string& name) const {
    return constants_.contains(name) && !used_.contains(name);
  }

 private:
  struct Names {
    std::string op_type;
    std::string input;                // the first one
    std::vector<std::string> others;  // inputs after it: scale and zero point
    std::string output;               // the first one
  };

  static Names read_names(Bytes message) {
    Names names;
    bool is_first = true;
    FieldReader reader(message);
    for (Field field; reader.next(field);) {
      if (field.is_bytes(1)) {
        if (is_first) {
          names.input = field.text();
        } else {
          names.others.emplace_back(field.text());
        }
        is_first = false;
      }
      if (field.is_bytes(2) && names.output.empty()) names.output = field.text();
      if (field.is_bytes(4)) names.op_type = field.text();
    }
    return names;
  }

  [[nodiscard]] std::string original(const std::string& name) const {
    const auto found = original_.find(name);
    return found == original_.end() ? name : found->second;
  }

  std::map<std::string, std::string> rounded_;   // output of QuantizeLinear: its float32 input
  std::map<std::string, std::string> original_;  // output of a pair: its float32 input
  std::set<std::string> constants_;              // scales and zero points of pairs
  std::set<std::string> used_;                   // what the other nodes take
};

std::string read_name(Bytes tensor) {
  std::string name;
  FieldReader reader(tensor);
  for (Field field; reader.next(field);) {
    if (field.is_bytes(8)) name = field.text();
  }
  return name;
}

// Runtimes refuse constants that no node takes in files of IR version 3, which bound ones are.
Content strip_model(Bytes model) {
  Stripper stripper;
  const Content stripped = rewrite_graph(model, [&](const Field& field, Content& out) {
    if (!field.is_bytes(1)) return false;
    const Content node = stripper.strip_node(field.bytes);
    if (!node.empty()) append_bytes(out, 1, node);
    return true;
  });
  return rewrite_graph(stripped, [&](const Field& field, Content&) {
    return field.is_bytes(5) && stripper.is_left_over(read_name(field.bytes));
  });
}

}  // namespace

VerifiedModel to_float32(const VerifiedModel& model) {
  VerifiedModel reference = model;
  reference.precision = Precision::fp32;
  if (model.precision == Precision::fp16) reference.content = widen_model(model.content);
  if (model.precision == Precision::int8) reference.content = strip_model(model.content);
  return reference;
}

}  // namespace rgan
