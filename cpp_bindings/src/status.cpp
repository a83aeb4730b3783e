#include "rgan/status.hpp"

#include <array>
#include <cstdio>
#include <cstring>
#include <new>

namespace rgan {
namespace {

const char* to_phrase(Problem problem) noexcept {
  switch (problem) {
    case Problem::none:
      return "none";
    case Problem::cannot_open:
      return "cannot be read";
    case Problem::not_regular:
      return "not a regular file";
    case Problem::too_large:
      return "too large for a CT slice";
    case Problem::no_memory:
      return "not enough memory";
    case Problem::changed:
      return "changed while it was read";
    case Problem::no_preamble:
      return "no DICOM preamble";
    case Problem::transfer_syntax:
      return "transfer syntax is not read natively";
    case Problem::malformed:
      return "malformed element";
    case Problem::truncated:
      return "length beyond the end of the file";
    case Problem::beyond_head:
      return "header not read in full";
    case Problem::unordered:
      return "tags do not ascend";
    case Problem::nested_too_deeply:
      return "sequences nested too deeply";
    case Problem::too_many_elements:
      return "too many elements";
    case Problem::missing:
      return "missing element";
    case Problem::unusual_value:
      return "unusual value";
    case Problem::pixel_format:
      return "unusual pixel format";
    case Problem::pixel_data:
      return "unexpected length of the pixel data";
    case Problem::compressed_data:
      return "malformed RLE frame";
    case Problem::size_differs:
      return "rows or columns differ from the batch";
    case Problem::header_differs:
      return "the header differs from the series' first slice";
    case Problem::not_finite:
      return "NaN or infinite values";
    case Problem::cannot_write:
      return "cannot be written";
    case Problem::unexpected:
      return "unexpected failure of the native core";
  }
  return "unknown problem";
}

}  // namespace

Problem caught_problem() noexcept {
  try {
    throw;
  } catch (const std::bad_alloc&) {
    return Problem::no_memory;
  } catch (...) {
    return Problem::unexpected;
  }
}

std::string describe(const Status& status) {
  std::string text = to_phrase(status.problem);
  if (status.tag != 0) {
    std::array<char, 16> tag{};
    std::snprintf(tag.data(), tag.size(), " (%04x,%04x)", static_cast<unsigned>(status.tag >> 16),
                  static_cast<unsigned>(status.tag & 0xffff));
    text += tag.data();
  }
  if (status.error != 0) {
    text += ": ";
    text += std::strerror(status.error);
  }
  return text;
}

}  // namespace rgan
