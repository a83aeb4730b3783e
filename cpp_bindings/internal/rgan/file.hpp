// Reading files with care: only regular ones, none that is a symbolic link, and never more bytes
// than the file had when it was opened.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "rgan/element.hpp"
#include "rgan/status.hpp"

namespace rgan {

inline constexpr std::size_t kMaxFileBytes = std::size_t{1} << 29;

// Shows whether a file is still the one that was found.
struct Stamp {
  std::int64_t size = 0;
  std::int64_t modified_ns = 0;  // since 1970; the nearest where 64 bits do not suffice
  std::uint64_t inode = 0;

  bool operator==(const Stamp&) const = default;
};

// How many bytes a thread keeps for the files that it reads next. Most slices take less.
inline constexpr std::size_t kMostKept = std::size_t{16} << 20;

// Memory for one piece of work. Up to kMostKept of it stays with the thread, for the next buffer.
class Buffer {
 public:
  Buffer() noexcept;
  ~Buffer();
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  Buffer(Buffer&&) = delete;
  Buffer& operator=(Buffer&&) = delete;

  // Return `size` bytes that the buffer owns, valid until the next call. Their content is
  // undefined. May throw std::bad_alloc.
  [[nodiscard]] std::uint8_t* reserve(std::size_t size);

 private:
  std::unique_ptr<std::uint8_t[]> data_;
  std::size_t size_ = 0;
};

// An open file, closed again by the destructor. Use it in one thread at a time.
class File {
 public:
  File() = default;
  ~File();
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  File(File&&) = delete;
  File& operator=(File&&) = delete;

  // Open a file, once for each object. The problem is `cannot_open`, `not_regular` or `too_large`.
  Status open(const std::string& path) noexcept;

  [[nodiscard]] const Stamp& stamp() const noexcept { return stamp_; }
  [[nodiscard]] std::size_t size() const noexcept { return static_cast<std::size_t>(stamp_.size); }

  // Read the first `count` bytes, or all if the file has fewer. `bytes` then points into `buffer`.
  // The problem is `cannot_open` or `changed`. May throw std::bad_alloc.
  Status read(std::size_t count, Buffer& buffer, Bytes& bytes) const;

 private:
  int descriptor_ = -1;
  Stamp stamp_;
};

}  // namespace rgan
