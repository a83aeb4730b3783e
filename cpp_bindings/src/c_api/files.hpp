// What the functions that read many files have in common.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "rgan/rgan.h"
#include "rgan/status.hpp"

namespace rgan::c_api {

// What became of one file.
struct Outcome {
  rgan_status status = RGAN_OK;
  std::string text;  // what is wrong with it
};

[[nodiscard]] Outcome make_outcome(const std::string& path, const Status& status);

// Throw Error unless the file was read.
void require_success(const Outcome& outcome);

// Throw Error (RGAN_INVALID_ARGUMENT) if a path is null.
[[nodiscard]] std::vector<std::string> copy_paths(const char* const* paths, std::size_t count);

// Return how many threads read that many files, at most as many as the caller asks for.
[[nodiscard]] int count_readers(std::int32_t wanted, std::size_t files);

}  // namespace rgan::c_api
