// Little endian numbers at the end of a vector of bytes. Each may throw std::bad_alloc.
#pragma once

#include <cstdint>
#include <vector>

#include "rgan/element.hpp"

namespace rgan {

inline void append(std::vector<std::uint8_t>& out, Bytes bytes) {
  out.insert(out.end(), bytes.begin(), bytes.end());
}

inline void append16(std::vector<std::uint8_t>& out, std::uint32_t value) {
  out.push_back(static_cast<std::uint8_t>(value));
  out.push_back(static_cast<std::uint8_t>(value >> 8));
}

inline void append32(std::vector<std::uint8_t>& out, std::uint32_t value) {
  append16(out, value & 0xffff);
  append16(out, value >> 16);
}

inline void append_tag(std::vector<std::uint8_t>& out, std::uint32_t tag) {
  append16(out, tag >> 16);
  append16(out, tag & 0xffff);
}

// The header of an element in the long form of explicit VR (PS3.5 7.1.2).
inline void append_long_header(std::vector<std::uint8_t>& out, std::uint32_t tag,
                               std::uint16_t name, std::uint32_t length) {
  append_tag(out, tag);
  append16(out, name);
  append16(out, 0);
  append32(out, length);
}

}  // namespace rgan
