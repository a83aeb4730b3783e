// The headers of many files, in parallel.
#pragma once

#include <string>
#include <vector>

#include "rgan/file.hpp"
#include "rgan/slice_header.hpp"
#include "rgan/thread_pool.hpp"

namespace rgan {

// One file's header with the bytes that its texts point into.
struct Head {
  Verdict verdict;
  Stamp stamp;
  SliceHeader header;  // empty where the verdict is a problem
  std::vector<std::uint8_t> bytes;
};

// Read the heads of files: one open and, as a rule, one read each. A problem with a file is its
// verdict, and the others go on.
std::vector<Head> scan(const std::vector<std::string>& paths, ThreadPool& pool);

}  // namespace rgan
