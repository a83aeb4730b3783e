// Builds small DICOM files byte by byte.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace bytes {

using Vector = std::vector<std::uint8_t>;

inline void put(Vector& out, std::uint32_t value, int count) {
  for (int i = 0; i < count; ++i) out.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
}

inline void put(Vector& out, const std::string& text) {
  for (const char c : text) out.push_back(static_cast<std::uint8_t>(c));
}

inline void tag(Vector& out, std::uint32_t number) {
  put(out, number >> 16, 2);
  put(out, number & 0xffff, 2);
}

// An element in the short form of explicit VR; an odd text is padded as its VR demands.
inline void element(Vector& out, std::uint32_t number, const std::string& vr, std::string value) {
  if (value.size() % 2 != 0) value += vr == "UI" ? '\0' : ' ';
  tag(out, number);
  put(out, vr);
  put(out, static_cast<std::uint32_t>(value.size()), 2);
  put(out, value);
}

inline void element(Vector& out, std::uint32_t number, std::uint32_t value) {
  tag(out, number);
  put(out, "US");
  put(out, 2, 2);
  put(out, value, 2);
}

// The header of an element in the long form of explicit VR.
inline void long_header(Vector& out, std::uint32_t number, const std::string& vr,
                        std::uint32_t length) {
  tag(out, number);
  put(out, vr);
  put(out, 0, 2);
  put(out, length, 4);
}

inline Vector file_meta(const std::string& transfer_syntax) {
  Vector out(128, 0);
  put(out, "DICM");
  element(out, 0x00020010, "UI", transfer_syntax);
  return out;
}

// A slice of 4x4 pixels of 16 bits in explicit VR, up to its pixel data. `extra` goes before Rows.
inline Vector slice_head(const std::string& transfer_syntax, const Vector& extra = {}) {
  Vector out = file_meta(transfer_syntax);
  element(out, 0x00080016, "UI", "1.2.840.10008.5.1.4.1.1.2");
  element(out, 0x00080018, "UI", "1.2.3.4");
  element(out, 0x0020000d, "UI", "1.2.3.5");
  element(out, 0x0020000e, "UI", "1.2.3.6");
  element(out, 0x00200032, "DS", R"(0\0\1.5)");
  element(out, 0x00200037, "DS", R"(1\0\0\0\1\0)");
  out.insert(out.end(), extra.begin(), extra.end());
  element(out, 0x00280010, 4);
  element(out, 0x00280011, 4);
  element(out, 0x00280030, "DS", R"(0.5\0.5)");
  element(out, 0x00280100, 16);
  element(out, 0x00280101, 12);
  element(out, 0x00280103, 0);
  element(out, 0x00281052, "DS", "-1024");
  element(out, 0x00281053, "DS", "1");
  return out;
}

inline Vector slice(const Vector& extra = {}) {
  Vector out = slice_head("1.2.840.10008.1.2.1", extra);
  long_header(out, 0x7fe00010, "OW", 32);
  for (std::uint32_t i = 0; i < 16; ++i) put(out, 0xf000 | (i * 100), 2);
  return out;
}

}  // namespace bytes
