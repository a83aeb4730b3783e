// The checksums of many files, read in parallel.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "rgan/status.hpp"
#include "rgan/thread_pool.hpp"

namespace rgan {

struct FileChecksum {
  Status status;
  std::uint32_t crc32c = 0;  // of all bytes of the file; means nothing if there is a problem
};

// Read whole files. A problem with one file is its own status, and the others go on. May throw
// std::bad_alloc before it begins.
[[nodiscard]] std::vector<FileChecksum> checksum_files(const std::vector<std::string>& paths,
                                                       ThreadPool& pool);

}  // namespace rgan
