#include "memory.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <string>

namespace rgan {

// The same messages as in Python (rgan_sdk.engines.memory).
bool lacks_memory(std::string_view problem) {
  constexpr std::array<std::string_view, 8> kSigns = {
      "out of memory", "out_of_memory",     "failed to allocate", "could not allocate",
      "alloc_failed",  "allocation_failed", "bad_alloc",          "is smaller than requested"};
  std::string lower(problem);
  std::ranges::transform(lower, lower.begin(), [](unsigned char letter) {
    return static_cast<char>(std::tolower(letter));
  });
  return std::ranges::any_of(
      kSigns, [&](std::string_view sign) { return lower.find(sign) != std::string::npos; });
}

}  // namespace rgan
