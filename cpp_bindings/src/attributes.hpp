// The attributes of a slice that matter here: found in the head of its file, and converted.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "rgan/element.hpp"
#include "rgan/slice_header.hpp"
#include "rgan/status.hpp"

namespace rgan {

// In the order of their tags, which is the order of a data set.
enum class Attribute : std::uint8_t {
  image_type,
  sop_class_uid,
  sop_instance_uid,
  modality,
  manufacturer,
  derivation_code_sequence,
  patient_id,
  slice_thickness,
  convolution_kernel,
  study_instance_uid,
  series_instance_uid,
  image_position,
  image_orientation,
  frame_of_reference_uid,
  samples_per_pixel,
  photometric_interpretation,
  number_of_frames,
  rows,
  columns,
  pixel_spacing,
  bits_allocated,
  bits_stored,
  high_bit,
  pixel_representation,
  pixel_padding_value,
  pixel_padding_range_limit,
  rescale_intercept,
  rescale_slope,
  rescale_type,
};

inline constexpr std::size_t kAttributes = static_cast<std::size_t>(Attribute::rescale_type) + 1;

// Finds the attributes and converts their values. The first problem stays in `status()`; values
// that are asked for after it mean nothing. Texts point into `head`, which must outlive the reader.
class AttributeReader {
 public:
  AttributeReader(Bytes head, std::size_t file_size) noexcept
      : head_(head), file_size_(file_size) {}

  // Go through the file up to its pixel data, and fill what `header` says of the file's layout.
  void find(PixelHeader& header) noexcept;

  [[nodiscard]] const Status& status() const noexcept { return status_; }

  // Whether the attribute is there and not empty.
  [[nodiscard]] bool has(Attribute name) const noexcept;

  // Return a text in plain ASCII without padding: all its values, or only the first.
  [[nodiscard]] std::string_view text(Attribute name) noexcept;
  [[nodiscard]] std::string_view first_text(Attribute name) noexcept;

  // Return a value of two bytes (US or SS) as if it were unsigned.
  [[nodiscard]] int integer(Attribute name) noexcept;

  // Return the values of a decimal or integer string, of which there must be `Count`.
  template <std::size_t Count>
  [[nodiscard]] std::array<double, Count> numbers(Attribute name) noexcept {
    std::array<double, Count> result{};
    parse_numbers(name, result);
    return result;
  }
  [[nodiscard]] double number(Attribute name) noexcept { return numbers<1>(name)[0]; }

  // Report a problem with an attribute unless the condition holds.
  void require(bool condition, Problem problem, Attribute name) noexcept;

 private:
  [[nodiscard]] ElementReader read_file_meta(PixelHeader& header) noexcept;
  [[nodiscard]] bool looks_explicit(const Element& element) const noexcept;
  void keep(const Element& element) noexcept;
  void parse_numbers(Attribute name, std::span<double> numbers) noexcept;
  [[nodiscard]] std::string_view value(Attribute name) const noexcept;

  Bytes head_;
  std::size_t file_size_;
  Status status_;
  std::array<bool, kAttributes> found_{};
  std::array<std::string_view, kAttributes> values_{};
  std::size_t next_ = 0;  // the first attribute that may still come
};

}  // namespace rgan
