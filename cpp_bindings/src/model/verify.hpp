// The checks that a model file must pass before a runtime sees it (docs/model-format.md).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "card.hpp"
#include "rgan/element.hpp"

namespace rgan {

inline constexpr std::size_t kMaxModelBytes = std::size_t{1} << 30;

enum class Precision : std::uint8_t { fp32, fp16, int8 };

// Return how a precision is called, such as "fp32".
[[nodiscard]] const char* to_name(Precision precision) noexcept;

struct VerifiedModel {
  std::vector<std::uint8_t> content;
  std::string sha256;
  Card card;
  Precision precision = Precision::fp32;
};

// Check the bytes of a file, and keep them. Throws FormatError.
[[nodiscard]] VerifiedModel verify(std::vector<std::uint8_t> content);

}  // namespace rgan
