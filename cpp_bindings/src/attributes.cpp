#include "attributes.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <system_error>

namespace rgan {
namespace {

struct Definition {
  std::uint32_t tag;
  std::uint16_t vr;
  std::uint16_t other_vr = 0;
};

constexpr std::array<Definition, kAttributes> kDefinitions = {{
    {.tag = 0x00080008, .vr = vr("CS")},
    {.tag = 0x00080016, .vr = vr("UI")},
    {.tag = 0x00080018, .vr = vr("UI")},
    {.tag = 0x00080060, .vr = vr("CS")},
    {.tag = 0x00080070, .vr = vr("LO")},
    {.tag = 0x00089215, .vr = vr("SQ")},
    {.tag = 0x00100020, .vr = vr("LO")},
    {.tag = 0x00180050, .vr = vr("DS")},
    {.tag = 0x00181210, .vr = vr("SH")},
    {.tag = 0x0020000d, .vr = vr("UI")},
    {.tag = 0x0020000e, .vr = vr("UI")},
    {.tag = 0x00200032, .vr = vr("DS")},
    {.tag = 0x00200037, .vr = vr("DS")},
    {.tag = 0x00200052, .vr = vr("UI")},
    {.tag = 0x00280002, .vr = vr("US")},
    {.tag = 0x00280004, .vr = vr("CS")},
    {.tag = 0x00280008, .vr = vr("IS")},
    {.tag = 0x00280010, .vr = vr("US")},
    {.tag = 0x00280011, .vr = vr("US")},
    {.tag = 0x00280030, .vr = vr("DS")},
    {.tag = 0x00280100, .vr = vr("US")},
    {.tag = 0x00280101, .vr = vr("US")},
    {.tag = 0x00280102, .vr = vr("US")},
    {.tag = 0x00280103, .vr = vr("US")},
    {.tag = 0x00280120, .vr = vr("US"), .other_vr = vr("SS")},
    {.tag = 0x00280121, .vr = vr("US"), .other_vr = vr("SS")},
    {.tag = 0x00281052, .vr = vr("DS")},
    {.tag = 0x00281053, .vr = vr("DS")},
    {.tag = 0x00281054, .vr = vr("LO")},
}};
static_assert(std::ranges::is_sorted(kDefinitions, {}, &Definition::tag));

constexpr std::uint32_t kTransferSyntaxUid = 0x00020010;
constexpr std::uint32_t kLastOfFileMeta = 0x0002ffff;

// JPEG Lossless, JPEG-LS, JPEG 2000 and HTJ2K.
constexpr std::array<std::string_view, 9> kEncoded = {
    "1.2.840.10008.1.2.4.57",  "1.2.840.10008.1.2.4.70",  "1.2.840.10008.1.2.4.80",
    "1.2.840.10008.1.2.4.81",  "1.2.840.10008.1.2.4.90",  "1.2.840.10008.1.2.4.91",
    "1.2.840.10008.1.2.4.201", "1.2.840.10008.1.2.4.202", "1.2.840.10008.1.2.4.203",
};

constexpr std::size_t index(Attribute name) noexcept { return static_cast<std::size_t>(name); }

// Return a text without the padding of its VR (PS3.5 6.2).
std::string_view trim(std::string_view text) noexcept {
  while (!text.empty() && (text.back() == ' ' || text.back() == '\0')) text.remove_suffix(1);
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  return text;
}

std::string_view view_value(Bytes bytes, const Element& element) noexcept {
  return {reinterpret_cast<const char*>(bytes.data()) + element.value, element.length};
}

[[nodiscard]] bool parse_syntax(std::string_view uid, TransferSyntax& syntax) noexcept {
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

[[nodiscard]] bool parse_number(std::string_view text, double& number) noexcept {
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

}  // namespace

ElementReader AttributeReader::read_file_meta(PixelHeader& header) noexcept {
  constexpr std::size_t kPreamble = 128;
  ElementReader reader(head_, file_size_, kPreamble + 4, true);
  if (head_.size() < kPreamble + 4 || std::memcmp(head_.data() + kPreamble, "DICM", 4) != 0) {
    status_ = Problem::no_preamble;
    return reader;
  }
  bool is_known = false;
  while (reader.offset() + 2 <= head_.size() && load16(head_.data() + reader.offset()) == 0x0002) {
    Element element;
    status_ = reader.read_header(element);
    if (status_ && element.length == kUndefinedLength) status_ = {Problem::malformed, element.tag};
    if (status_ && reader.offset() + element.length > head_.size()) status_ = Problem::beyond_head;
    if (status_) status_ = reader.skip_value(element);
    if (!status_) return reader;
    if (element.tag == kTransferSyntaxUid && element.vr == vr("UI")) {
      is_known = parse_syntax(trim(view_value(head_, element)), header.syntax);
    }
  }
  if (!is_known) status_ = {Problem::transfer_syntax, kTransferSyntaxUid};
  return {head_, file_size_, reader.offset(),
          header.syntax != TransferSyntax::implicit_little_endian};
}

// Whether the bytes behind the tag could be a VR. Some files claim implicit VR and are explicit.
bool AttributeReader::looks_explicit(const Element& element) const noexcept {
  const auto is_capital = [](std::uint8_t c) { return c >= 'A' && c <= 'Z'; };
  return std::ranges::all_of(head_.subspan(element.start + 4, 2), is_capital);
}

void AttributeReader::find(PixelHeader& header) noexcept {
  ElementReader reader = read_file_meta(header);
  if (!status_) return;
  header.data_set = reader.offset();
  std::uint32_t last = kLastOfFileMeta;
  while (true) {
    Element element;
    status_ = reader.read_header(element);
    if (!status_) return;
    if (element.tag <= last) {
      status_ = {Problem::unordered, element.tag};
      return;
    }
    if (last == kLastOfFileMeta && !reader.is_explicit_vr() && looks_explicit(element)) {
      status_ = {Problem::malformed, element.tag};
      return;
    }
    last = element.tag;
    if (element.tag == tags::pixel_data) {
      header.pixel_data = element;
      return;
    }
    if (element.tag > tags::pixel_data) {
      status_ = {Problem::missing, tags::pixel_data};
      return;
    }
    status_ = reader.skip_value(element);
    if (status_ && reader.offset() > head_.size()) status_ = {Problem::beyond_head, element.tag};
    if (status_) keep(element);
    if (!status_) return;
  }
}

void AttributeReader::keep(const Element& element) noexcept {
  while (next_ < kAttributes && kDefinitions[next_].tag < element.tag) ++next_;
  if (next_ == kAttributes || kDefinitions[next_].tag != element.tag) return;
  const Definition& definition = kDefinitions[next_];
  const bool is_sequence = definition.vr == vr("SQ");
  const bool is_usual_vr =
      element.vr == 0 || element.vr == definition.vr || element.vr == definition.other_vr;
  if (!is_usual_vr || (!is_sequence && element.length == kUndefinedLength)) {
    status_ = {Problem::unusual_value, element.tag};
    return;
  }
  found_[next_] = true;
  if (!is_sequence) {
    values_[next_] = view_value(head_, element);
  } else if (element.length != 0) {
    values_[next_] = "items";  // anything that is not empty
  }
}

std::string_view AttributeReader::value(Attribute name) const noexcept {
  const bool is_binary = kDefinitions[index(name)].vr == vr("US");
  return is_binary ? values_[index(name)] : trim(values_[index(name)]);
}

bool AttributeReader::has(Attribute name) const noexcept {
  return found_[index(name)] && !value(name).empty();
}

void AttributeReader::require(bool condition, Problem problem, Attribute name) noexcept {
  if (!condition && status_) status_ = {problem, kDefinitions[index(name)].tag};
}

std::string_view AttributeReader::text(Attribute name) noexcept {
  const std::string_view text = value(name);
  const auto is_plain = [](char c) { return c >= ' ' && c <= '~'; };
  require(std::ranges::all_of(text, is_plain), Problem::unusual_value, name);
  return text;
}

std::string_view AttributeReader::first_text(Attribute name) noexcept {
  const std::string_view values = text(name);
  return trim(values.substr(0, values.find('\\')));
}

int AttributeReader::integer(Attribute name) noexcept {
  const std::string_view bytes = values_[index(name)];
  require(found_[index(name)], Problem::missing, name);
  require(bytes.size() == 2, Problem::unusual_value, name);
  if (bytes.size() != 2) return 0;
  return load16(reinterpret_cast<const std::uint8_t*>(bytes.data()));
}

void AttributeReader::parse_numbers(Attribute name, std::span<double> numbers) noexcept {
  require(has(name), Problem::missing, name);
  std::string_view rest = value(name);
  for (double& number : numbers) {
    const std::size_t end = rest.find('\\');
    const bool is_last = end == std::string_view::npos;
    const bool should_be_last = &number == &numbers.back();
    if (is_last != should_be_last || !parse_number(rest.substr(0, end), number)) {
      require(false, Problem::unusual_value, name);
      return;
    }
    rest.remove_prefix(is_last ? rest.size() : end + 1);
  }
}

}  // namespace rgan
