// The result of each call that can fail. What the native core does not fully understand it does
// not guess: it hands the file back to the caller and names the problem.
#pragma once

#include <cstdint>
#include <string>

namespace rgan {

enum class Problem : std::uint8_t {
  none,
  cannot_open,  // the system's error number is in Status::error
  not_regular,  // a link, folder, FIFO, socket or device
  too_large,    // no CT slice has that many bytes
  no_memory,
  changed,          // the file is not the one that was found, or was changed while it was read
  no_preamble,      // no DICM after 128 bytes
  transfer_syntax,  // absent, or not one that is read natively
  malformed,        // not encoded as the transfer syntax says
  truncated,        // a length goes beyond the end of the file
  beyond_head,      // what comes next is in the file, but not in the head of it that was given
  unordered,        // tags do not ascend, so one may occur twice
  nested_too_deeply,
  too_many_elements,
  missing,          // an attribute that a CT slice needs
  unusual_value,    // a value that is not plain ASCII, or that has a rare meaning
  pixel_format,     // anything but one sample of 1 to 16 bits, right-aligned, in one frame
  pixel_data,       // its length does not match rows, columns and bits
  compressed_data,  // an RLE frame that is not well formed
  size_differs,     // rows or columns are not those of the batch
  header_differs,   // an element that the header template depends on differs from the first slice
  not_finite,       // NaN or infinity among the HU to be written
  cannot_write,     // the system's error number is in Status::error
  unexpected,       // an exception that no code here throws on purpose
};

// Success, or a problem. Converts to true on success.
struct [[nodiscard]] Status {
  constexpr Status() noexcept = default;
  constexpr explicit(false)
      Status(Problem problem_, std::uint32_t tag_ = 0, int error_ = 0) noexcept
      : problem(problem_), tag(tag_), error(error_) {}

  constexpr explicit operator bool() const noexcept { return problem == Problem::none; }

  Problem problem = Problem::none;
  std::uint32_t tag = 0;  // the element concerned, its group in the upper half; or 0
  int error = 0;          // errno of cannot_open and cannot_write
};

// The problem that the exception which is being handled stands for. For catch blocks only.
[[nodiscard]] Problem caught_problem() noexcept;

// Describe a status for a log. The text never holds a value of the file, since that may be patient
// data. May throw std::bad_alloc.
[[nodiscard]] std::string describe(const Status& status);

}  // namespace rgan
