#include "rgan/element.hpp"

#include <algorithm>
#include <array>

namespace rgan {
namespace {

constexpr std::array kShortForm = {vr("AE"), vr("AS"), vr("AT"), vr("CS"), vr("DA"), vr("DS"),
                                   vr("DT"), vr("FD"), vr("FL"), vr("IS"), vr("LO"), vr("LT"),
                                   vr("PN"), vr("SH"), vr("SL"), vr("SS"), vr("ST"), vr("TM"),
                                   vr("UI"), vr("UL"), vr("US")};
constexpr std::array kLongForm = {vr("OB"), vr("OD"), vr("OF"), vr("OL"), vr("OV"),
                                  vr("OW"), vr("SQ"), vr("SV"), vr("UC"), vr("UN"),
                                  vr("UR"), vr("UT"), vr("UV")};

std::uint32_t load_tag(const std::uint8_t* bytes) noexcept {
  return (static_cast<std::uint32_t>(load16(bytes)) << 16) | load16(bytes + 2);
}

}  // namespace

bool has_long_form(std::uint16_t name) noexcept {
  return std::ranges::find(kLongForm, name) != kLongForm.end();
}

bool is_known_vr(std::uint16_t name) noexcept {
  return has_long_form(name) || std::ranges::find(kShortForm, name) != kShortForm.end();
}

bool ElementReader::is_at_item_end() const noexcept {
  return can_read(8) && load_tag(bytes_.data() + offset_) == tags::item_end;
}

Status ElementReader::read_header(Element& element) noexcept {
  element = {};
  element.start = offset_;
  if (!can_read(8)) return find_missing(8);
  const std::uint8_t* bytes = bytes_.data() + offset_;
  element.tag = load_tag(bytes);
  if (--elements_left_ < 0) return {Problem::too_many_elements, element.tag};
  if (element.tag >> 16 == 0xfffe) return {Problem::malformed, element.tag};
  if (!explicit_vr_) {
    element.length = load32(bytes + 4);
    offset_ += 8;
  } else {
    element.vr = load16(bytes + 4);
    if (has_long_form(element.vr)) {
      if (!can_read(12)) return {find_missing(12), element.tag};
      if (load16(bytes + 6) != 0) return {Problem::malformed, element.tag};
      element.length = load32(bytes + 8);
      offset_ += 12;
    } else if (is_known_vr(element.vr)) {
      element.length = load16(bytes + 6);
      offset_ += 8;
    } else {
      return {Problem::malformed, element.tag};
    }
  }
  element.value = offset_;
  if (element.length == kUndefinedLength) {
    const bool holds_items = element.vr == 0 || element.vr == vr("SQ") ||
                             (element.tag == tags::pixel_data && element.vr == vr("OB"));
    return {holds_items ? Problem::none : Problem::malformed, element.tag};
  }
  if (!is_in_file(element.length)) return {Problem::truncated, element.tag};
  return {};
}

Status ElementReader::read_item(Item& item) noexcept {
  if (!can_read(8)) return find_missing(8);
  item.tag = load_tag(bytes_.data() + offset_);
  item.length = load32(bytes_.data() + offset_ + 4);
  if (--elements_left_ < 0) return {Problem::too_many_elements, item.tag};
  offset_ += 8;
  if (item.tag == tags::item) {
    const bool fits = item.length == kUndefinedLength || is_in_file(item.length);
    return {fits ? Problem::none : Problem::truncated, item.tag};
  }
  const bool is_delimiter = item.tag == tags::item_end || item.tag == tags::sequence_end;
  return {is_delimiter && item.length == 0 ? Problem::none : Problem::malformed, item.tag};
}

Status ElementReader::skip_value(const Element& element) noexcept { return skip_value(element, 0); }

Status ElementReader::skip_value(const Element& element, int depth) noexcept {
  if (element.length == kUndefinedLength) return skip_items(element.tag, depth + 1);
  offset_ += element.length;
  return {};
}

Status ElementReader::skip_items(std::uint32_t sequence, int depth) noexcept {
  if (depth > kMaxNesting) return {Problem::nested_too_deeply, sequence};
  while (true) {
    Item item;
    if (const Status status = read_item(item); !status) return status;
    if (item.tag == tags::sequence_end) return {};
    if (item.tag != tags::item) return {Problem::malformed, sequence};
    if (item.length != kUndefinedLength) {
      offset_ += item.length;
    } else if (const Status status = skip_elements(depth); !status) {
      return status;
    }
  }
}

Status ElementReader::skip_elements(int depth) noexcept {
  while (true) {
    if (is_at_item_end()) {
      Item delimiter;
      return read_item(delimiter);
    }
    Element element;
    if (const Status status = read_header(element); !status) return status;
    if (const Status status = skip_value(element, depth); !status) return status;
  }
}

}  // namespace rgan
