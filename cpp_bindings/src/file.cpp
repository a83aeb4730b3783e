#include "rgan/file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <limits>
#include <utility>

#include "retry.hpp"

namespace rgan {
namespace {

// A time that 64 bits cannot hold becomes the nearest one that they can, as in Python's Stamp.
std::int64_t to_nanoseconds(std::int64_t seconds, std::int64_t rest) noexcept {
  constexpr std::int64_t kSecond = 1'000'000'000;
  if (seconds < 0) {  // both parts get the same sign, so that no sum is smaller than its parts
    ++seconds;
    rest -= kSecond;
  }
  std::int64_t all = 0;
  if (!__builtin_mul_overflow(seconds, kSecond, &all) && !__builtin_add_overflow(all, rest, &all)) {
    return all;
  }
  using Limits = std::numeric_limits<std::int64_t>;
  return rest < 0 ? Limits::min() : Limits::max();
}

Stamp make_stamp(const struct stat& status) noexcept {
  return {.size = status.st_size,
          .modified_ns = to_nanoseconds(status.st_mtim.tv_sec, status.st_mtim.tv_nsec),
          .inode = status.st_ino};
}

// What a buffer of this thread has left for the next one.
thread_local std::unique_ptr<std::uint8_t[]> kept;
thread_local std::size_t kept_size = 0;

}  // namespace

Buffer::Buffer() noexcept : data_(std::move(kept)), size_(std::exchange(kept_size, 0)) {}

Buffer::~Buffer() {
  if (size_ > kMostKept) return;
  kept = std::move(data_);
  kept_size = size_;
}

std::uint8_t* Buffer::reserve(std::size_t size) {
  if (size > size_) {
    data_.reset();
    size_ = 0;
    data_ = std::make_unique_for_overwrite<std::uint8_t[]>(size);
    size_ = size;
  }
  return data_.get();
}

File::~File() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

Status File::open(const std::string& path) noexcept {
  // Without blocking and without following links: the path may have changed since it was listed.
  constexpr int kFlags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
  descriptor_ = retry_interrupted([&] { return ::open(path.c_str(), kFlags); });
  if (descriptor_ < 0) {
    return {errno == ELOOP ? Problem::not_regular : Problem::cannot_open, 0, errno};
  }
  struct stat status{};
  if (::fstat(descriptor_, &status) != 0) return {Problem::cannot_open, 0, errno};
  if (!S_ISREG(status.st_mode)) return Problem::not_regular;
  stamp_ = make_stamp(status);
  return size() > kMaxFileBytes ? Problem::too_large : Problem::none;
}

Status File::read(std::size_t count, Buffer& buffer, Bytes& bytes) const {
  count = std::min(count, size());
  std::uint8_t* data = buffer.reserve(count);
  std::size_t done = 0;
  while (done < count) {
    const ssize_t got = retry_interrupted(
        [&] { return ::pread(descriptor_, data + done, count - done, static_cast<off_t>(done)); });
    if (got < 0) return {Problem::cannot_open, 0, errno};
    if (got == 0) return Problem::changed;
    done += static_cast<std::size_t>(got);
  }
  struct stat status{};
  if (::fstat(descriptor_, &status) != 0) return {Problem::cannot_open, 0, errno};
  if (make_stamp(status) != stamp_) return Problem::changed;
  bytes = {data, count};
  return {};
}

}  // namespace rgan
