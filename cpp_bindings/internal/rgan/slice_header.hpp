// The header of a CT slice's file: enough to find, sort and decode the slice.
//
// Sources: DICOM PS3.3 C.7.6.3, C.8.2.1 and C.11.1; PS3.10 7.1. Only plain values are understood.
// An unusual one is a problem that names the element, and the caller has a slower reader for it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "rgan/element.hpp"
#include "rgan/rescale.hpp"
#include "rgan/status.hpp"

namespace rgan {

inline constexpr int kMaxSide = 8192;  // rows or columns

enum class TransferSyntax : std::uint8_t {
  implicit_little_endian,
  explicit_little_endian,
  rle,
  encoded,  // explicit little endian, with a frame that needs a decoder from outside
};

struct PixelFormat {
  int rows = 0;
  int columns = 0;
  int bits_allocated = 0;  // 8 or 16
  int bits_stored = 0;     // from the lowest bit on
  bool is_signed = false;

  [[nodiscard]] std::size_t pixels() const noexcept {
    return static_cast<std::size_t>(rows) * static_cast<std::size_t>(columns);
  }
  [[nodiscard]] std::size_t bytes() const noexcept {
    return pixels() * static_cast<std::size_t>(bits_allocated / 8);
  }
  [[nodiscard]] int minimum() const noexcept { return is_signed ? -(1 << (bits_stored - 1)) : 0; }
  [[nodiscard]] int maximum() const noexcept {
    return (1 << (bits_stored - (is_signed ? 1 : 0))) - 1;
  }
};

// The stored values that mean "no image here", from `low` to `high` with both ends.
struct Padding {
  int low = 0;
  int high = 0;

  [[nodiscard]] static Padding between(int one, int other) noexcept {
    return {.low = one < other ? one : other, .high = one < other ? other : one};
  }
  [[nodiscard]] bool contains(int value) const noexcept { return low <= value && value <= high; }
};

// How the pixels of a slice are stored, and where.
struct PixelHeader {
  TransferSyntax syntax = TransferSyntax::explicit_little_endian;
  PixelFormat format;
  Rescale rescale{.slope = 1, .intercept = 0};
  std::optional<Padding> padding;
  std::size_t data_set = 0;  // offset of the data set, behind the file meta information
  Element pixel_data;
};

// What a slice belongs to and where it lies. Texts are plain ASCII without padding, and empty if
// the attribute is absent. They point into the bytes of the file, which must outlive them.
struct SliceHeader : PixelHeader {
  std::string_view sop_class_uid;
  std::string_view sop_instance_uid;
  std::string_view study_instance_uid;
  std::string_view series_instance_uid;
  std::string_view frame_of_reference_uid;
  std::string_view patient_id;
  std::string_view modality;
  std::string_view image_type;  // all values, separated by backslashes
  std::string_view photometric_interpretation;
  std::string_view manufacturer;
  std::string_view convolution_kernel;    // all values, separated by backslashes
  std::string_view rescale_type;          // HU or US
  std::array<double, 2> pixel_spacing{};  // mm
  std::optional<double> slice_thickness;  // mm
  std::array<double, 6> orientation{};
  std::array<double, 3> position{};  // mm
};

// Parse the head of a file of `file_size` bytes. `head` must hold the file up to and including the
// header of the pixel data; if it ends earlier, and the file does not, the problem is
// `beyond_head`.
Status parse_pixel_header(Bytes head, std::size_t file_size, PixelHeader& header) noexcept;
Status parse_slice_header(Bytes head, std::size_t file_size, SliceHeader& header) noexcept;

}  // namespace rgan
