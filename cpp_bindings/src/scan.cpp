#include "rgan/scan.hpp"

#include <new>

namespace rgan {
namespace {

constexpr std::size_t kHeadBytes = std::size_t{16} << 10;
constexpr std::size_t kLongerBy = 16;

void read_head(const std::string& path, Head& head) {
  thread_local Buffer buffer;
  File file;
  head.verdict = file.open(path);
  if (!head.verdict) return;
  head.stamp = file.stamp();
  for (std::size_t count = kHeadBytes;; count *= kLongerBy) {
    Bytes bytes;
    head.verdict = file.read(count, buffer, bytes);
    if (!head.verdict) return;
    head.verdict = parse_slice_header(bytes, file.size(), head.header);
    if (head.verdict.problem == Problem::truncated && bytes.size() < file.size()) continue;
    if (head.verdict && head.header.syntax == TransferSyntax::encoded) {
      head.verdict = {Problem::transfer_syntax};  // whether there is a decoder, others must say
    }
    if (!head.verdict) return;
    // Only now are they copied: the texts must point into what stays.
    head.bytes.assign(bytes.begin(), bytes.begin() + head.header.pixel_data.value);
    head.verdict = parse_slice_header(head.bytes, file.size(), head.header);
    return;
  }
}

}  // namespace

std::vector<Head> scan(const std::vector<std::string>& paths, ThreadPool& pool) {
  std::vector<Head> heads(paths.size());
  pool.run(paths.size(), [&](std::size_t i) noexcept {
    try {
      read_head(paths[i], heads[i]);
    } catch (const std::bad_alloc&) {
      heads[i].verdict = {Problem::no_memory};
    }
    // Its texts may point into what another file is read into next.
    if (!heads[i].verdict) heads[i].header = {};
  });
  return heads;
}

}  // namespace rgan
