#include "files.hpp"

#include <algorithm>

#include "boundary.hpp"
#include "cores.hpp"

namespace rgan::c_api {
namespace {

rgan_status to_c(Problem problem) noexcept {
  switch (problem) {
    case Problem::none:
      return RGAN_OK;
    case Problem::cannot_open:
    case Problem::not_regular:
    case Problem::changed:
      return RGAN_NOT_FOUND;
    case Problem::no_memory:
      return RGAN_OUT_OF_MEMORY;
    case Problem::unexpected:
      return RGAN_INTERNAL;
    default:
      return RGAN_SLICE_FORMAT;
  }
}

}  // namespace

Outcome make_outcome(const std::string& path, const Status& status) {
  if (status) return {};
  return {.status = to_c(status.problem), .text = path + ": " + describe(status)};
}

void require_success(const Outcome& outcome) {
  if (outcome.status != RGAN_OK) throw Error(outcome.status, outcome.text);
}

std::vector<std::string> copy_paths(const char* const* paths, std::size_t count) {
  require(paths != nullptr || count == 0, "paths must not be NULL");
  std::vector<std::string> copies;
  for (std::size_t i = 0; i < count; ++i) {
    require(paths[i] != nullptr, "no path may be NULL");
    copies.emplace_back(paths[i]);
  }
  return copies;
}

int count_readers(std::int32_t wanted, std::size_t files) {
  const auto most = static_cast<std::size_t>(choose_threads(wanted));
  return static_cast<int>(std::min(most, files));
}

}  // namespace rgan::c_api
