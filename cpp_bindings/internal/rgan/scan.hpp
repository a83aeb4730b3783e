// The headers of many files, read in parallel.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "rgan/file.hpp"
#include "rgan/slice_header.hpp"
#include "rgan/status.hpp"
#include "rgan/thread_pool.hpp"

namespace rgan {

// The header of one file, together with the bytes that its texts point into.
//
// A head cannot be copied, since the texts of the copy would point into the original. It can be
// moved: a std::vector keeps its buffer when it is moved (a short std::string would not). A head
// that was moved from must only be destroyed or assigned to.
struct Head {
  Head() = default;
  ~Head() = default;
  Head(const Head&) = delete;
  Head& operator=(const Head&) = delete;
  Head(Head&&) noexcept = default;
  Head& operator=(Head&&) noexcept = default;

  Status status;
  Stamp stamp;
  SliceHeader header;               // empty if there is a problem
  std::vector<std::uint8_t> bytes;  // the file up to the value of its pixel data
  std::string common;               // empty if there is a problem; see `scan`
};

// Read the heads of files. Each takes one open and, as a rule, one read. A problem with one file
// is that head's status, and the others go on. May throw std::bad_alloc before it begins.
//
// Two heads have the same `common` if their headers agree in all but SOPInstanceUID and position,
// and their elements with these tags, which must be sorted, are the same. It is no text to read.
[[nodiscard]] std::vector<Head> scan(const std::vector<std::string>& paths, ThreadPool& pool,
                                     std::span<const std::uint32_t> tags = {});

}  // namespace rgan
