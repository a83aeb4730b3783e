// What the head of a CT slice's file says: enough to find, sort and decode it.
//
// Only what is plainly there is taken: an unusual value is a Verdict that names the element, and
// the caller has a slower reader for it. Facts: DICOM PS3.3 C.7.6.3, C.8.2.1, C.11.1; PS3.10 7.1.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "rgan/element.hpp"
#include "rgan/problem.hpp"
#include "rgan/rescale.hpp"

namespace rgan {

inline constexpr int kMaxSide = 8192;

enum class TransferSyntax : std::uint8_t {
  implicit_little_endian,
  explicit_little_endian,
  rle,
  encoded,  // explicit little endian, but for the frame, which takes a decoder that is not here
};

struct PixelFormat {
  int rows = 0;
  int columns = 0;
  int bits_allocated = 0;  // 8 or 16
  int bits_stored = 0;     // from the lowest bit on
  bool is_signed = false;

  std::size_t pixels() const noexcept {
    return static_cast<std::size_t>(rows) * static_cast<std::size_t>(columns);
  }
  std::size_t bytes() const noexcept {
    return pixels() * static_cast<std::size_t>(bits_allocated / 8);
  }
  int minimum() const noexcept { return is_signed ? -(1 << (bits_stored - 1)) : 0; }
  int maximum() const noexcept { return (1 << (bits_stored - (is_signed ? 1 : 0))) - 1; }
  bool operator==(const PixelFormat&) const = default;
};

// Stored values that mean "no image here", both ends included.
struct Padding {
  int low = 0;
  int high = 0;

  bool holds(int value) const noexcept { return low <= value && value <= high; }
};

// How the pixels of a slice are stored, and where.
struct PixelHeader {
  TransferSyntax syntax = TransferSyntax::explicit_little_endian;
  PixelFormat format;
  Rescale rescale{1, 0};
  std::optional<Padding> padding;
  std::size_t data_set = 0;  // where the data set begins, after the file meta information
  Element pixel_data;
};

// Where a slice lies and what it belongs to. Texts are plain ASCII without padding and point
// into the file's bytes; those that may be absent are empty then.
struct SliceHeader : PixelHeader {
  std::string_view sop_class_uid;
  std::string_view sop_instance_uid;
  std::string_view study_instance_uid;
  std::string_view series_instance_uid;
  std::string_view frame_of_reference_uid;
  std::string_view patient_id;
  std::string_view modality;
  std::string_view image_type;  // all values, between backslashes
  std::string_view photometric_interpretation;
  std::string_view manufacturer;
  std::string_view convolution_kernel;  // the first value
  std::array<double, 2> pixel_spacing{};
  std::optional<double> slice_thickness;
  std::array<double, 6> orientation{};
  std::array<double, 3> position{};
};

// Parse the head of a file. `total` is the file's size; `head` may hold less, but must reach
// the header of the pixel data, else the verdict is `truncated`.
Verdict parse_pixel_header(Bytes head, std::size_t total, PixelHeader& header) noexcept;
Verdict parse_slice_header(Bytes head, std::size_t total, SliceHeader& header) noexcept;

}  // namespace rgan
