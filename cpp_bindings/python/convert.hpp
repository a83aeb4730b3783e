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

// A path, which the system would cut at a null byte.
inline std::string to_path(const nanobind::bytes& bytes) {
  std::string path(bytes.c_str(), bytes.size());
  if (path.find('\0') != std::string::npos) throw nanobind::value_error("embedded null byte");
  return path;
}

inline std::vector<std::string> to_paths(const std::vector<nanobind::bytes>& all) {
  std::vector<std::string> paths;
  paths.reserve(all.size());
  for (const nanobind::bytes& bytes : all) paths.push_back(to_path(bytes));
  return paths;
}

}  // namespace rgan_python
