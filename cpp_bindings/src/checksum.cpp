#include "rgan/checksum.hpp"

#include "rgan/crc32c.hpp"
#include "rgan/file.hpp"

namespace rgan {
namespace {

void checksum_file(const std::string& path, FileChecksum& checksum) {
  Buffer buffer;
  File file;
  checksum.status = file.open(path);
  if (!checksum.status) return;
  Bytes bytes;
  checksum.status = file.read(file.size(), buffer, bytes);
  if (checksum.status) checksum.crc32c = crc32c(bytes);
}

}  // namespace

std::vector<FileChecksum> checksum_files(const std::vector<std::string>& paths, ThreadPool& pool) {
  std::vector<FileChecksum> checksums(paths.size());
  pool.run(paths.size(), [&](std::size_t i) noexcept {
    try {
      checksum_file(paths[i], checksums[i]);
    } catch (...) {
      checksums[i].status = caught_problem();
    }
  });
  return checksums;
}

}  // namespace rgan
