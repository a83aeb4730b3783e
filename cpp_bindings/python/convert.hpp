// Conversions that the parts of the Python module share.
#pragma once

#include <nanobind/nanobind.h>

#include <cstdint>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "rgan/status.hpp"

namespace rgan_python {

// A file's size in bytes, time of its last change in ns since 1970, and inode.
using StampFields = std::tuple<std::int64_t, std::int64_t, std::uint64_t>;

// Tags with what the file holds of them.
using Elements = std::vector<std::pair<std::uint32_t, nanobind::bytes>>;

inline std::optional<std::string> describe_problem(const rgan::Status& status) {
  if (status) return std::nullopt;
  return rgan::describe(status);
}

inline std::string to_string(const nanobind::bytes& bytes) { return {bytes.c_str(), bytes.size()}; }

inline std::vector<std::string> to_strings(const std::vector<nanobind::bytes>& paths) {
  std::vector<std::string> names;
  names.reserve(paths.size());
  for (const nanobind::bytes& path : paths) names.push_back(to_string(path));
  return names;
}

}  // namespace rgan_python
