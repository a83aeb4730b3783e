#include "memory.hpp"

#include <algorithm>
#include <array>

namespace rgan {

bool lacks_memory(std::string_view problem) {
  constexpr std::array<std::string_view, 7> kSigns = {
      "bad_alloc",     "ailed to allocate", "ould not allocate",     "ut of memory",
      "out_of_memory", "ALLOC_FAILED",      "smaller than requested"};
  return std::ranges::any_of(
      kSigns, [&](std::string_view sign) { return problem.find(sign) != std::string_view::npos; });
}

}  // namespace rgan
