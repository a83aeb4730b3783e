// Why a file is handed back: what the native core does not fully understand, it leaves to
// the caller, named, and never guesses.
#pragma once

#include <cstdint>
#include <string>

namespace rgan {

enum class Problem : std::uint8_t {
  none,
  cannot_open,  // the system's error number is in Verdict::error
  not_regular,  // a link, folder, FIFO, socket or device
  too_large,    // no CT slice has that many bytes
  no_memory,
  changed,          // the file got shorter while it was read
  no_preamble,      // no DICM after 128 bytes
  transfer_syntax,  // absent, or not one that is read natively
  malformed,        // not the encoding that the transfer syntax promises
  truncated,        // a length goes beyond the end of the file
  unordered,        // tags that do not ascend: one may occur twice
  nested_too_deeply,
  too_many_elements,
  missing,          // an attribute that a CT slice needs
  unusual_value,    // a value that needs more than plain ASCII digits to understand
  pixel_format,     // not 1 to 16 bits in one sample of one frame, right-aligned
  pixel_data,       // not as long as rows, columns and bits say
  compressed_data,  // an RLE frame that is not well formed
  size_differs,     // other rows or columns than the batch
  header_differs,   // an element that the derived header depends on is not that of the plan
  not_finite,       // NaN or infinity among the HU to be written
  cannot_write,     // the system's error number is in Verdict::error
};

struct Verdict {
  Problem problem = Problem::none;
  std::uint32_t tag = 0;  // the element that it is about, group in the upper half; or 0
  int error = 0;          // errno of cannot_open and cannot_write

  explicit operator bool() const noexcept { return problem == Problem::none; }
};

// Say it for a log: never holds a value of the file.
std::string describe(const Verdict& verdict);

}  // namespace rgan
