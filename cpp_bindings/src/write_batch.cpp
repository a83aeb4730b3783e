#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "append.hpp"
#include "retry.hpp"
#include "rgan/batch.hpp"
#include "rgan/crc32c.hpp"
#include "rgan/file.hpp"
#include "rgan/pixels.hpp"

namespace rgan {
namespace {

// writev takes pointers that are not const, but only reads what they point to.
iovec to_iovec(Bytes bytes) noexcept {
  return {.iov_base = const_cast<std::uint8_t*>(bytes.data()), .iov_len = bytes.size()};
}

// A new file, removed again by the destructor unless it is kept. `path` must outlive it.
class NewFile {
 public:
  explicit NewFile(const std::string& path) noexcept
      : path_(path),
        descriptor_(retry_interrupted([&] { return ::open(path.c_str(), kFlags, 0666); })),
        is_open_(descriptor_ >= 0),
        is_temporary_(is_open_) {}
  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;
  NewFile(NewFile&&) = delete;
  NewFile& operator=(NewFile&&) = delete;
  ~NewFile() {
    if (descriptor_ >= 0) ::close(descriptor_);
    if (is_temporary_) ::unlink(path_.c_str());
  }

  // What failed is in errno if this, or one of the calls below, returns false.
  [[nodiscard]] bool is_open() const noexcept { return is_open_; }

  [[nodiscard]] bool write(Bytes first, Bytes second) const noexcept {
    std::array<iovec, 2> parts{};
    std::size_t done = 0;
    const std::size_t total = first.size() + second.size();
    while (done < total) {
      const std::size_t in_first = std::min(done, first.size());
      const std::size_t in_second = done - in_first;
      parts[0] = to_iovec(first.subspan(in_first));
      parts[1] = to_iovec(second.subspan(in_second));
      const ssize_t written =
          retry_interrupted([&] { return ::writev(descriptor_, parts.data(), 2); });
      if (written < 0) return false;
      done += static_cast<std::size_t>(written);
    }
    return true;
  }

  [[nodiscard]] bool sync() const noexcept {
    return retry_interrupted([&] { return ::fsync(descriptor_); }) == 0;
  }

  // Close the file for good. Some file systems report only now that the disk is full.
  [[nodiscard]] bool keep() noexcept {
    const int descriptor = descriptor_;
    descriptor_ = -1;
    if (::close(descriptor) != 0) return false;
    is_temporary_ = false;
    return true;
  }

 private:
  static constexpr int kFlags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;

  const std::string& path_;
  int descriptor_;
  bool is_open_;
  bool is_temporary_;
};

void write_slice(const SourceSlice& source, const float* hu, const HeaderTemplate& header_template,
                 const WriteJob& job, bool durable, std::vector<std::uint8_t>& head,
                 WriteResult& result) {
  Buffer buffer;
  const PixelFormat& format = source.header.format;
  head.assign(job.file_meta.begin(), job.file_meta.end());
  result.status = splice_header(source.head, source.header, header_template, job.elements, head);
  if (!result.status) return;
  const std::size_t size = format.bytes() + (format.bytes() % 2);  // values have an even length
  append_long_header(head, tags::pixel_data, vr(format.bits_allocated == 8 ? "OB" : "OW"),
                     static_cast<std::uint32_t>(size));
  std::uint8_t* cells = buffer.reserve(size);
  cells[size - 1] = 0;
  result.status = encode_pixels(hu, source.header, source.stored, cells, result.clips);
  if (!result.status) return;
  result.size = head.size() + size;
  result.crc32c = crc32c({cells, size}, crc32c(head));  // while the processor has them at hand
  NewFile file(job.path);
  const bool done =
      file.is_open() && file.write(head, {cells, size}) && (!durable || file.sync()) && file.keep();
  if (!done) result.status = {Problem::cannot_write, 0, errno};
}

}  // namespace

std::vector<WriteResult> write_batch(const std::vector<const SourceSlice*>& sources,
                                     const float* hu, const HeaderTemplate& header_template,
                                     const std::vector<WriteJob>& jobs, bool durable,
                                     ThreadPool& pool) {
  std::vector<WriteResult> results(jobs.size());
  if (sources.empty()) return results;
  const std::size_t pixels = sources.front()->header.format.pixels();
  pool.run(jobs.size(), [&](std::size_t i) noexcept {
    thread_local std::vector<std::uint8_t> head;
    try {
      write_slice(*sources[i], hu + (i * pixels), header_template, jobs[i], durable, head,
                  results[i]);
    } catch (...) {
      results[i].status = caught_problem();
    }
    if (head.capacity() > kMostKept) head = std::vector<std::uint8_t>();  // {} would keep it
  });
  return results;
}

}  // namespace rgan
