// Builds the smallest model file that passes all checks, byte by byte.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace model_bytes {

inline std::string varint(std::uint64_t value) {
  std::string out;
  for (; value >= 128; value >>= 7) out += static_cast<char>((value & 127) | 128);
  return out + static_cast<char>(value);
}

// Fields of Protocol Buffers: a number, and bytes (a text or a message).
inline std::string number(std::uint32_t field, std::uint64_t value) {
  return varint(field << 3) + varint(value);
}

inline std::string bytes(std::uint32_t field, const std::string& content) {
  return varint((field << 3) | 2) + varint(content.size()) + content;
}

// A FLOAT tensor among the inputs or outputs of a graph.
inline std::string value(const std::string& name, const std::string& shape) {
  return bytes(1, name) + bytes(2, bytes(1, number(1, 1) + bytes(2, shape)));
}

// A card of format 2, or of format 1 without a domain.
inline std::string card(int format) {
  const std::string domain = R"(,
 "pixel_spacing": {"min": 0.5, "max": 1.0, "reference": 0.75},
 "noise_hu": null, "thickness_seen": [], "reconstruction": [], "validity": null)";
  return R"({"format": )" + std::to_string(format) + R"(,
 "name": "stub", "version": "1.0.0",
 "window": {"lower": -1024.0, "upper": 1000.0, "handover": 8.0},
 "source_kernels": ["B40f"], "target_kernel": "B70f", "manufacturers": ["SIEMENS"],
 "multiple": 4,
 "training_data": [{"name": "none", "licence": "CC0-1.0", "citation": "made for tests"}],
 "quality": [], "error_bounds": {}, "intended_use": "tests", "software": "tests")" +
         (format == 1 ? "" : domain) + "}";
}

// `content` is the graph's, without its inputs and outputs.
inline std::vector<std::uint8_t> make(int format, const std::string& content) {
  const std::string image = bytes(1, bytes(2, "batch")) + bytes(1, number(1, 1)) +
                            bytes(1, bytes(2, "height")) + bytes(1, bytes(2, "width"));
  std::string graph = content + bytes(11, value("hu", image));
  if (format > 1) graph += bytes(11, value("pixel_spacing", bytes(1, number(1, 1))));
  graph += bytes(12, value("harmonized_hu", image));
  const std::string model = number(1, 10) + bytes(7, graph) + bytes(8, number(2, 20)) +
                            bytes(14, bytes(1, "rgan.card") + bytes(2, card(format)));
  return {model.begin(), model.end()};
}

inline std::string node(const std::string& name, const std::string& input,
                        const std::string& output) {
  return bytes(1, bytes(1, input) + bytes(2, output) + bytes(4, name));
}

inline std::vector<std::uint8_t> make(int format = 2) {
  return make(format, node("Relu", "hu", "harmonized_hu"));
}

// A model in int8, one tensor of which, "weights", is stored in integers.
inline std::vector<std::uint8_t> make_quantized() {
  const std::string weights = bytes(5, number(2, 3) + bytes(8, "weights"));
  return make(2, node("QuantizeLinear", "hu", "rounded") +
                     node("DequantizeLinear", "weights", "harmonized_hu") + weights);
}

}  // namespace model_bytes
