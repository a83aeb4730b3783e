#include "rgan/slice_header.hpp"

#include <algorithm>
#include <array>
#include <cfloat>
#include <charconv>
#include <cmath>
#include <cstring>

namespace rgan {
namespace {

// The attributes that are looked at, by ascending tag: the order of a data set.
enum Attribute : std::size_t {
  kImageType,
  kSopClassUid,
  kSopInstanceUid,
  kModality,
  kManufacturer,
  kDerivationCodeSequence,
  kPatientId,
  kSliceThickness,
  kConvolutionKernel,
  kStudyInstanceUid,
  kSeriesInstanceUid,
  kImagePosition,
  kImageOrientation,
  kFrameOfReferenceUid,
  kSamplesPerPixel,
  kPhotometricInterpretation,
  kNumberOfFrames,
  kRows,
  kColumns,
  kPixelSpacing,
  kBitsAllocated,
  kBitsStored,
  kHighBit,
  kPixelRepresentation,
  kPixelPaddingValue,
  kPixelPaddingRangeLimit,
  kRescaleIntercept,
  kRescaleSlope,
  kRescaleType,
  kAttributes,
};

struct Definition {
  std::uint32_t tag;
  std::uint16_t vr;
  std::uint16_t other_vr = 0;
};

constexpr std::array<Definition, kAttributes> kDefinitions = {{
    {0x00080008, vr("CS")},           {0x00080016, vr("UI")},           {0x00080018, vr("UI")},
    {0x00080060, vr("CS")},           {0x00080070, vr("LO")},           {0x00089215, vr("SQ")},
    {0x00100020, vr("LO")},           {0x00180050, vr("DS")},           {0x00181210, vr("SH")},
    {0x0020000d, vr("UI")},           {0x0020000e, vr("UI")},           {0x00200032, vr("DS")},
    {0x00200037, vr("DS")},           {0x00200052, vr("UI")},           {0x00280002, vr("US")},
    {0x00280004, vr("CS")},           {0x00280008, vr("IS")},           {0x00280010, vr("US")},
    {0x00280011, vr("US")},           {0x00280030, vr("DS")},           {0x00280100, vr("US")},
    {0x00280101, vr("US")},           {0x00280102, vr("US")},           {0x00280103, vr("US")},
    {0x00280120, vr("US"), vr("SS")}, {0x00280121, vr("US"), vr("SS")}, {0x00281052, vr("DS")},
    {0x00281053, vr("DS")},           {0x00281054, vr("LO")},
}};
static_assert(std::ranges::is_sorted(kDefinitions, {}, &Definition::tag));

constexpr std::uint32_t kTransferSyntaxUid = 0x00020010;

// The values that were found, and how to understand them. The first thing that cannot be
// understood stays in `verdict`; everything after it is ignored.
class Values {
 public:
  Values(Bytes head, std::size_t total) noexcept : head_(head), total_(total) {}

  Verdict verdict;

  // Go through the file up to the pixel data.
  void collect(PixelHeader& header) noexcept;

  bool has(Attribute name) const noexcept { return found_[name] && !trimmed(name).empty(); }
  std::string_view all(Attribute name) noexcept;   // plain ASCII, trimmed
  std::string_view text(Attribute name) noexcept;  // the first of several values
  int integer(Attribute name) noexcept;            // US or SS, as unsigned
  template <std::size_t Count>
  std::array<double, Count> numbers(Attribute name) noexcept;
  void require(bool condition, Problem problem, Attribute name) noexcept {
    if (!condition) fail(problem, name);
  }

 private:
  Walker file_meta(PixelHeader& header) noexcept;
  void keep(const Element& element) noexcept;
  std::string_view trimmed(Attribute name) const noexcept;
  void fail(Problem problem, Attribute name) noexcept {
    if (verdict) verdict = {problem, kDefinitions[name].tag};
  }

  Bytes head_;
  std::size_t total_;
  std::array<bool, kAttributes> found_{};
  std::array<std::string_view, kAttributes> raw_{};
  std::size_t expected_ = 0;  // index of the next definition
};

std::string_view trim(std::string_view text) noexcept {
  while (!text.empty() && (text.back() == ' ' || text.back() == '\0')) text.remove_suffix(1);
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  return text;
}

std::string_view view(Bytes bytes, const Element& element) noexcept {
  return {reinterpret_cast<const char*>(bytes.data()) + element.value, element.length};
}

// JPEG Lossless, JPEG-LS, JPEG 2000 and HTJ2K.
constexpr std::array<std::string_view, 9> kEncoded = {
    "1.2.840.10008.1.2.4.57",  "1.2.840.10008.1.2.4.70",  "1.2.840.10008.1.2.4.80",
    "1.2.840.10008.1.2.4.81",  "1.2.840.10008.1.2.4.90",  "1.2.840.10008.1.2.4.91",
    "1.2.840.10008.1.2.4.201", "1.2.840.10008.1.2.4.202", "1.2.840.10008.1.2.4.203",
};

bool syntax_of(std::string_view uid, TransferSyntax& syntax) noexcept {
  if (uid == "1.2.840.10008.1.2.1") {
    syntax = TransferSyntax::explicit_little_endian;
  } else if (uid == "1.2.840.10008.1.2") {
    syntax = TransferSyntax::implicit_little_endian;
  } else if (uid == "1.2.840.10008.1.2.5") {
    syntax = TransferSyntax::rle;
  } else if (std::ranges::find(kEncoded, uid) != kEncoded.end()) {
    syntax = TransferSyntax::encoded;
  } else {
    return false;
  }
  return true;
}

Walker Values::file_meta(PixelHeader& header) noexcept {
  constexpr std::size_t kPreamble = 128;
  Walker walker(head_, total_, kPreamble + 4, true);
  if (head_.size() < kPreamble + 4 || std::memcmp(head_.data() + kPreamble, "DICM", 4) != 0) {
    verdict = {Problem::no_preamble};
    return walker;
  }
  bool found = false;
  while (walker.at() + 2 <= head_.size() && load16(head_.data() + walker.at()) == 0x0002) {
    Element element;
    verdict = walker.header(element);
    if (verdict && walker.at() + element.length > head_.size()) verdict = {Problem::truncated};
    if (verdict) verdict = walker.skip(element);
    if (!verdict) return walker;
    if (element.tag == kTransferSyntaxUid && element.vr == vr("UI")) {
      found = syntax_of(trim(view(head_, element)), header.syntax);
    }
  }
  if (!found) verdict = {Problem::transfer_syntax, kTransferSyntaxUid};
  return Walker(head_, total_, walker.at(),
                header.syntax != TransferSyntax::implicit_little_endian);
}

void Values::collect(PixelHeader& header) noexcept {
  Walker walker = file_meta(header);
  if (!verdict) return;
  header.data_set = walker.at();
  std::uint32_t last = 0x0002ffff;
  while (true) {
    Element element;
    verdict = walker.header(element);
    if (!verdict) return;
    if (element.tag <= last) {
      verdict = {Problem::unordered, element.tag};
      return;
    }
    // Some files say implicit VR and are not; those and the reverse need guessing.
    const std::uint8_t* vr_or_length = head_.data() + element.start + 4;
    const auto is_capital = [](std::uint8_t c) { return c >= 'A' && c <= 'Z'; };
    if (last == 0x0002ffff && !walker.explicit_vr() && is_capital(vr_or_length[0]) &&
        is_capital(vr_or_length[1])) {
      verdict = {Problem::malformed, element.tag};
      return;
    }
    last = element.tag;
    if (element.tag == tags::pixel_data) {
      header.pixel_data = element;
      return;
    }
    if (element.tag > tags::pixel_data) {
      verdict = {Problem::missing, tags::pixel_data};
      return;
    }
    verdict = walker.skip(element);
    if (verdict && walker.at() > head_.size()) verdict = {Problem::truncated, element.tag};
    if (verdict) keep(element);
    if (!verdict) return;
  }
}

void Values::keep(const Element& element) noexcept {
  while (expected_ < kAttributes && kDefinitions[expected_].tag < element.tag) ++expected_;
  if (expected_ == kAttributes || kDefinitions[expected_].tag != element.tag) return;
  const Definition& definition = kDefinitions[expected_];
  const bool is_text = definition.vr != vr("SQ");
  if ((element.vr != 0 && element.vr != definition.vr && element.vr != definition.other_vr) ||
      (is_text && element.length == kUndefinedLength)) {
    verdict = {Problem::unusual_value, element.tag};
    return;
  }
  found_[expected_] = true;
  raw_[expected_] = is_text ? view(head_, element) : element.length != 0 ? "items" : "";
}

std::string_view Values::trimmed(Attribute name) const noexcept {
  const bool is_binary = kDefinitions[name].vr == vr("US");
  return is_binary ? raw_[name] : trim(raw_[name]);
}

std::string_view Values::all(Attribute name) noexcept {
  const std::string_view text = trimmed(name);
  const auto is_plain = [](char c) { return c >= ' ' && c <= '~'; };
  require(std::ranges::all_of(text, is_plain), Problem::unusual_value, name);
  return text;
}

std::string_view Values::text(Attribute name) noexcept {
  const std::string_view text = all(name);
  return trim(text.substr(0, text.find('\\')));
}

int Values::integer(Attribute name) noexcept {
  if (!found_[name]) {
    fail(Problem::missing, name);
    return 0;
  }
  if (raw_[name].size() != 2) {
    fail(Problem::unusual_value, name);
    return 0;
  }
  return load16(reinterpret_cast<const std::uint8_t*>(raw_[name].data()));
}

bool parse(std::string_view text, double& number) noexcept {
  text = trim(text);
  if (!text.empty() && text.front() == '+') {
    text.remove_prefix(1);
    if (!text.empty() && (text.front() == '-' || text.front() == '+')) return false;
  }
  const auto is_numeric = [](char c) {
    return (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '+' || c == 'e' || c == 'E';
  };
  if (text.empty() || !std::ranges::all_of(text, is_numeric)) return false;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc{} && end == text.data() + text.size() && std::isfinite(number);
}

template <std::size_t Count>
std::array<double, Count> Values::numbers(Attribute name) noexcept {
  std::array<double, Count> result{};
  if (!has(name)) {
    fail(Problem::missing, name);
    return result;
  }
  std::string_view rest = trimmed(name);
  for (std::size_t i = 0; i < Count; ++i) {
    const std::size_t end = rest.find('\\');
    const bool is_last = end == std::string_view::npos;
    if (is_last != (i + 1 == Count) || !parse(rest.substr(0, end), result[i])) {
      fail(Problem::unusual_value, name);
      return result;
    }
    rest.remove_prefix(is_last ? rest.size() : end + 1);
  }
  return result;
}

PixelFormat pixel_format(Values& values) noexcept {
  PixelFormat format;
  format.rows = values.integer(kRows);
  format.columns = values.integer(kColumns);
  format.bits_allocated = values.integer(kBitsAllocated);
  format.bits_stored = values.integer(kBitsStored);
  const int representation = values.integer(kPixelRepresentation);
  format.is_signed = representation == 1;
  const auto require = [&](bool condition, Attribute name) {
    values.require(condition, Problem::pixel_format, name);
  };
  require(format.rows >= 1 && format.rows <= kMaxSide, kRows);
  require(format.columns >= 1 && format.columns <= kMaxSide, kColumns);
  require(format.bits_allocated == 8 || format.bits_allocated == 16, kBitsAllocated);
  require(format.bits_stored >= 1 && format.bits_stored <= format.bits_allocated, kBitsStored);
  require(representation <= 1, kPixelRepresentation);
  if (values.has(kHighBit)) {
    require(values.integer(kHighBit) == format.bits_stored - 1, kHighBit);
  }
  if (values.has(kSamplesPerPixel)) {
    require(values.integer(kSamplesPerPixel) == 1, kSamplesPerPixel);
  }
  if (values.has(kNumberOfFrames)) {
    require(values.numbers<1>(kNumberOfFrames)[0] == 1, kNumberOfFrames);
  }
  return format;
}

Rescale rescale(Values& values) noexcept {
  const Rescale found{values.numbers<1>(kRescaleSlope)[0], values.numbers<1>(kRescaleIntercept)[0]};
  const double limit = static_cast<double>(FLT_MAX) / 2;
  const bool is_usable = found.slope != 0 && std::abs(found.slope) * 65536 <= limit;
  values.require(is_usable, Problem::unusual_value, kRescaleSlope);
  values.require(std::abs(found.intercept) <= limit, Problem::unusual_value, kRescaleIntercept);
  if (values.has(kRescaleType)) {
    const std::string_view kind = values.text(kRescaleType);
    values.require(kind == "HU", Problem::unusual_value, kRescaleType);
  }
  return found;
}

std::optional<Padding> padding(Values& values, bool is_signed) noexcept {
  if (!values.has(kPixelPaddingValue)) return std::nullopt;
  const auto as_cell = [&](Attribute name) {
    const int value = values.integer(name);
    return is_signed && value > 0x7fff ? value - 0x10000 : value;
  };
  const int value = as_cell(kPixelPaddingValue);
  const int limit = values.has(kPixelPaddingRangeLimit) ? as_cell(kPixelPaddingRangeLimit) : value;
  return Padding{std::min(value, limit), std::max(value, limit)};
}

Verdict check_pixel_data(const PixelHeader& header) noexcept {
  const Element& element = header.pixel_data;
  if (header.syntax == TransferSyntax::rle || header.syntax == TransferSyntax::encoded) {
    const bool fits = element.length == kUndefinedLength && element.vr == vr("OB");
    return {fits ? Problem::none : Problem::pixel_data, element.tag};
  }
  const std::size_t needed = header.format.bytes();
  const bool has_vr = element.vr == 0 || element.vr == vr("OW") ||
                      (element.vr == vr("OB") && header.format.bits_allocated == 8);
  const bool fits = element.length == needed + needed % 2 && has_vr;
  return {fits ? Problem::none : Problem::pixel_data, element.tag};
}

Verdict interpret(Values& values, PixelHeader& header) noexcept {
  header.format = pixel_format(values);
  header.rescale = rescale(values);
  header.padding = padding(values, header.format.is_signed);
  return values.verdict ? check_pixel_data(header) : values.verdict;
}

}  // namespace

Verdict parse_pixel_header(Bytes head, std::size_t total, PixelHeader& header) noexcept {
  Values values(head, total);
  values.collect(header);
  return values.verdict ? interpret(values, header) : values.verdict;
}

Verdict parse_slice_header(Bytes head, std::size_t total, SliceHeader& header) noexcept {
  Values values(head, total);
  values.collect(header);
  if (!values.verdict) return values.verdict;
  if (const Verdict verdict = interpret(values, header); !verdict) return verdict;
  values.require(!values.has(kDerivationCodeSequence), Problem::unusual_value,
                 kDerivationCodeSequence);
  const auto required = [&](Attribute name) {
    values.require(values.has(name), Problem::missing, name);
    return values.all(name);
  };
  header.sop_class_uid = required(kSopClassUid);
  header.sop_instance_uid = required(kSopInstanceUid);
  header.study_instance_uid = required(kStudyInstanceUid);
  header.series_instance_uid = required(kSeriesInstanceUid);
  header.frame_of_reference_uid = values.text(kFrameOfReferenceUid);
  header.patient_id = values.text(kPatientId);
  header.modality = values.text(kModality);
  header.image_type = values.all(kImageType);
  header.photometric_interpretation = values.text(kPhotometricInterpretation);
  header.manufacturer = values.text(kManufacturer);
  header.convolution_kernel = values.text(kConvolutionKernel);
  header.pixel_spacing = values.numbers<2>(kPixelSpacing);
  if (values.has(kSliceThickness)) {
    header.slice_thickness = values.numbers<1>(kSliceThickness)[0];
  }
  header.orientation = values.numbers<6>(kImageOrientation);
  header.position = values.numbers<3>(kImagePosition);
  return values.verdict;
}

}  // namespace rgan
