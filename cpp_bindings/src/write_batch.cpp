#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <new>

#include "rgan/batch.hpp"
#include "rgan/pixels.hpp"

namespace rgan {
namespace {

void append_pixel_data_header(std::vector<std::uint8_t>& out, const PixelFormat& format) {
  const std::size_t length = format.bytes() + format.bytes() % 2;
  const char* name = format.bits_allocated == 8 ? "OB" : "OW";
  const std::array<std::uint8_t, 12> header = {
      0xe0,
      0x7f,
      0x10,
      0x00,
      static_cast<std::uint8_t>(name[0]),
      static_cast<std::uint8_t>(name[1]),
      0,
      0,
      static_cast<std::uint8_t>(length),
      static_cast<std::uint8_t>(length >> 8),
      static_cast<std::uint8_t>(length >> 16),
      static_cast<std::uint8_t>(length >> 24),
  };
  out.insert(out.end(), header.begin(), header.end());
}

// A new file that is removed again unless it is kept.
class NewFile {
 public:
  explicit NewFile(const std::string& path) noexcept : path_(path) {
    descriptor_ = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
    failed_ = descriptor_ < 0;
    created_ = !failed_;
  }
  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;
  ~NewFile() {
    if (descriptor_ >= 0) ::close(descriptor_);
    if (created_) ::unlink(path_.c_str());
  }

  bool is_open() const noexcept { return !failed_; }

  bool write(Bytes first, Bytes second) noexcept {
    std::array<iovec, 2> parts{};
    std::size_t done = 0;
    const std::size_t total = first.size() + second.size();
    while (done < total) {
      const std::size_t in_first = std::min(done, first.size());
      const std::size_t in_second = done - in_first;
      parts[0] = {const_cast<std::uint8_t*>(first.data()) + in_first, first.size() - in_first};
      parts[1] = {const_cast<std::uint8_t*>(second.data()) + in_second, second.size() - in_second};
      const ssize_t written = ::writev(descriptor_, parts.data(), 2);
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) return false;
      done += static_cast<std::size_t>(written);
    }
    return true;
  }

  bool sync() noexcept { return ::fsync(descriptor_) == 0; }

  // Close it for good; some file systems report a full disk only now.
  bool keep() noexcept {
    const int descriptor = descriptor_;
    descriptor_ = -1;
    if (::close(descriptor) != 0) return false;
    created_ = false;
    return true;
  }

 private:
  const std::string& path_;
  int descriptor_ = -1;
  bool failed_ = false;
  bool created_ = false;
};

void write_slice(const SourceSlice& source, const float* hu, const SplicePlan& plan,
                 const WriteJob& job, bool durable, Written& written) {
  thread_local Buffer buffer;
  thread_local std::vector<std::uint8_t> head;
  const PixelFormat& format = source.header.format;
  head.assign(job.file_meta.begin(), job.file_meta.end());
  written.verdict = splice_header(source.head, source.header, plan, job.elements, head);
  if (!written.verdict) return;
  append_pixel_data_header(head, format);
  const std::size_t size = format.bytes() + format.bytes() % 2;
  std::uint8_t* stored = buffer.reserve(size);
  stored[size - 1] = 0;
  written.verdict = encode_pixels(hu, source.header, source.kept, stored, written.clips);
  if (!written.verdict) return;
  NewFile file(job.path);
  const bool done = file.is_open() && file.write(head, {stored, size}) &&
                    (!durable || file.sync()) && file.keep();
  if (!done) written.verdict = {Problem::cannot_write, 0, errno};
}

}  // namespace

std::vector<Written> write_batch(const std::vector<const SourceSlice*>& sources, const float* hu,
                                 const SplicePlan& plan, const std::vector<WriteJob>& jobs,
                                 bool durable, ThreadPool& pool) {
  std::vector<Written> results(jobs.size());
  if (sources.empty()) return results;
  const std::size_t size = sources.front()->header.format.pixels();
  pool.run(jobs.size(), [&](std::size_t i) noexcept {
    try {
      write_slice(*sources[i], hu + i * size, plan, jobs[i], durable, results[i]);
    } catch (const std::bad_alloc&) {
      results[i].verdict = {Problem::no_memory};
    }
  });
  return results;
}

}  // namespace rgan
