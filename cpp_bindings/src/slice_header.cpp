#include "rgan/slice_header.hpp"

#include <optional>
#include <string_view>

#include "attributes.hpp"

namespace rgan {
namespace {

PixelFormat read_format(AttributeReader& attributes) noexcept {
  PixelFormat format;
  format.rows = attributes.integer(Attribute::rows);
  format.columns = attributes.integer(Attribute::columns);
  format.bits_allocated = attributes.integer(Attribute::bits_allocated);
  format.bits_stored = attributes.integer(Attribute::bits_stored);
  const int representation = attributes.integer(Attribute::pixel_representation);
  format.is_signed = representation == 1;
  const auto require = [&](bool condition, Attribute name) {
    attributes.require(condition, Problem::pixel_format, name);
  };
  require(format.rows >= 1 && format.rows <= kMaxSide, Attribute::rows);
  require(format.columns >= 1 && format.columns <= kMaxSide, Attribute::columns);
  require(format.bits_allocated == 8 || format.bits_allocated == 16, Attribute::bits_allocated);
  require(format.bits_stored >= 1 && format.bits_stored <= format.bits_allocated,
          Attribute::bits_stored);
  require(representation <= 1, Attribute::pixel_representation);
  if (attributes.has(Attribute::high_bit)) {
    require(attributes.integer(Attribute::high_bit) == format.bits_stored - 1, Attribute::high_bit);
  }
  if (attributes.has(Attribute::samples_per_pixel)) {
    require(attributes.integer(Attribute::samples_per_pixel) == 1, Attribute::samples_per_pixel);
  }
  if (attributes.has(Attribute::number_of_frames)) {
    require(attributes.number(Attribute::number_of_frames) == 1, Attribute::number_of_frames);
  }
  return format;
}

Rescale read_rescale(AttributeReader& attributes) noexcept {
  const Rescale rescale{.slope = attributes.number(Attribute::rescale_slope),
                        .intercept = attributes.number(Attribute::rescale_intercept)};
  attributes.require(is_usable_slope(rescale.slope), Problem::unusual_value,
                     Attribute::rescale_slope);
  attributes.require(is_usable_intercept(rescale.intercept), Problem::unusual_value,
                     Attribute::rescale_intercept);
  if (attributes.has(Attribute::rescale_type)) {
    const std::string_view kind = attributes.first_text(Attribute::rescale_type);
    // US is "unspecified": the caller looks at the pixels before it takes them as HU.
    attributes.require(kind == "HU" || kind == "US", Problem::unusual_value,
                       Attribute::rescale_type);
  }
  return rescale;
}

std::optional<Padding> read_padding(AttributeReader& attributes, bool is_signed) noexcept {
  if (!attributes.has(Attribute::pixel_padding_value)) return std::nullopt;
  const auto as_stored = [&](Attribute name) {
    const int value = attributes.integer(name);
    return is_signed && value > 0x7fff ? value - 0x10000 : value;
  };
  const int value = as_stored(Attribute::pixel_padding_value);
  const int limit = attributes.has(Attribute::pixel_padding_range_limit)
                        ? as_stored(Attribute::pixel_padding_range_limit)
                        : value;
  return Padding::between(value, limit);
}

Status check_pixel_data(const PixelHeader& header) noexcept {
  const Element& element = header.pixel_data;
  if (header.syntax == TransferSyntax::rle || header.syntax == TransferSyntax::encoded) {
    const bool fits = element.length == kUndefinedLength && element.vr == vr("OB");
    return {fits ? Problem::none : Problem::pixel_data, element.tag};
  }
  const std::size_t needed = header.format.bytes();
  const bool has_usual_vr = element.vr == 0 || element.vr == vr("OW") ||
                            (element.vr == vr("OB") && header.format.bits_allocated == 8);
  const bool fits = element.length == needed + (needed % 2) && has_usual_vr;
  return {fits ? Problem::none : Problem::pixel_data, element.tag};
}

Status read_pixel_header(AttributeReader& attributes, PixelHeader& header) noexcept {
  header.format = read_format(attributes);
  header.rescale = read_rescale(attributes);
  header.padding = read_padding(attributes, header.format.is_signed);
  return attributes.status() ? check_pixel_data(header) : attributes.status();
}

}  // namespace

Status parse_pixel_header(Bytes head, std::size_t file_size, PixelHeader& header) noexcept {
  AttributeReader attributes(head, file_size);
  attributes.find(header);
  return attributes.status() ? read_pixel_header(attributes, header) : attributes.status();
}

Status parse_slice_header(Bytes head, std::size_t file_size, SliceHeader& header) noexcept {
  AttributeReader attributes(head, file_size);
  attributes.find(header);
  if (!attributes.status()) return attributes.status();
  if (const Status status = read_pixel_header(attributes, header); !status) return status;
  attributes.require(!attributes.has(Attribute::derivation_code_sequence), Problem::unusual_value,
                     Attribute::derivation_code_sequence);
  const auto required_text = [&](Attribute name) {
    attributes.require(attributes.has(name), Problem::missing, name);
    return attributes.text(name);
  };
  header.sop_class_uid = required_text(Attribute::sop_class_uid);
  header.sop_instance_uid = required_text(Attribute::sop_instance_uid);
  header.study_instance_uid = required_text(Attribute::study_instance_uid);
  header.series_instance_uid = required_text(Attribute::series_instance_uid);
  header.frame_of_reference_uid = attributes.first_text(Attribute::frame_of_reference_uid);
  header.patient_id = attributes.first_text(Attribute::patient_id);
  header.modality = attributes.first_text(Attribute::modality);
  header.image_type = attributes.text(Attribute::image_type);
  header.photometric_interpretation = attributes.first_text(Attribute::photometric_interpretation);
  header.manufacturer = attributes.first_text(Attribute::manufacturer);
  header.convolution_kernel = attributes.text(Attribute::convolution_kernel);
  header.rescale_type = attributes.first_text(Attribute::rescale_type);
  header.pixel_spacing = attributes.numbers<2>(Attribute::pixel_spacing);
  if (attributes.has(Attribute::slice_thickness)) {
    header.slice_thickness = attributes.number(Attribute::slice_thickness);
  }
  header.orientation = attributes.numbers<6>(Attribute::image_orientation);
  header.position = attributes.numbers<3>(Attribute::image_position);
  return attributes.status();
}

}  // namespace rgan
