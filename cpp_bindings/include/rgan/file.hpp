// Files with care: regular ones only, never through a link, never longer than they are.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "rgan/element.hpp"
#include "rgan/problem.hpp"

namespace rgan {

inline constexpr std::size_t kMaxFileBytes = std::size_t{1} << 29;

// What tells whether a file is still the one that was found.
struct Stamp {
  std::int64_t size = 0;
  std::int64_t modified_ns = 0;  // since 1970
  std::uint64_t inode = 0;

  bool operator==(const Stamp&) const = default;
};

// Memory that is used again and again; what it held is lost when it grows.
class Buffer {
 public:
  std::uint8_t* reserve(std::size_t size);  // may throw std::bad_alloc

 private:
  std::unique_ptr<std::uint8_t[]> data_;
  std::size_t size_ = 0;
};

// An open file. Errors are verdicts: `cannot_open`, `not_regular`, `too_large`.
class File {
 public:
  File() = default;
  ~File();
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  Verdict open(const std::string& path) noexcept;
  const Stamp& stamp() const noexcept { return stamp_; }
  std::size_t size() const noexcept { return static_cast<std::size_t>(stamp_.size); }

  // Read the first `count` bytes, or as many as the file has. May throw std::bad_alloc.
  Verdict read(std::size_t count, Buffer& buffer, Bytes& bytes);

 private:
  int descriptor_ = -1;
  Stamp stamp_;
};

}  // namespace rgan
