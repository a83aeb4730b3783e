#include "rgan/scan.hpp"

namespace rgan {
namespace {

constexpr std::size_t kFirstRead = std::size_t{16} << 10;  // bytes; most headers are shorter
constexpr std::size_t kGrowth = 16;

// Parse as much of a file as its header takes, starting with little.
Status parse_head(const File& file, Buffer& buffer, Bytes& bytes, SliceHeader& header) {
  for (std::size_t count = kFirstRead;; count *= kGrowth) {
    if (const Status status = file.read(count, buffer, bytes); !status) return status;
    const Status status = parse_slice_header(bytes, file.size(), header);
    if (status.problem != Problem::truncated || bytes.size() == file.size()) return status;
  }
}

void read_head(const std::string& path, Head& head) {
  thread_local Buffer buffer;
  File file;
  head.status = file.open(path);
  if (!head.status) return;
  head.stamp = file.stamp();
  Bytes bytes;
  head.status = parse_head(file, buffer, bytes, head.header);
  if (head.status && head.header.syntax == TransferSyntax::encoded) {
    head.status = Problem::transfer_syntax;  // the caller knows whether there is a decoder
  }
  if (!head.status) return;
  // Parsed again, so that the texts point into the copy and not into the buffer.
  const Bytes kept = bytes.first(head.header.pixel_data.value);
  head.bytes.assign(kept.begin(), kept.end());
  head.status = parse_slice_header(head.bytes, file.size(), head.header);
}

}  // namespace

std::vector<Head> scan(const std::vector<std::string>& paths, ThreadPool& pool) {
  std::vector<Head> heads(paths.size());
  pool.run(paths.size(), [&](std::size_t i) noexcept {
    try {
      read_head(paths[i], heads[i]);
    } catch (...) {
      heads[i].status = caught_problem();
    }
    // The texts of a header that failed may still point into the buffer.
    if (!heads[i].status) heads[i].header = {};
  });
  return heads;
}

}  // namespace rgan
