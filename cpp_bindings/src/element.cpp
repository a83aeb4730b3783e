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
  return static_cast<std::uint32_t>(load16(bytes)) << 16 | load16(bytes + 2);
}

}  // namespace

bool has_long_form(std::uint16_t name) noexcept {
  return std::ranges::find(kLongForm, name) != kLongForm.end();
}

bool is_known_vr(std::uint16_t name) noexcept {
  return has_long_form(name) || std::ranges::find(kShortForm, name) != kShortForm.end();
}

bool Walker::is_at_item_end() const noexcept {
  return shows(8) && load_tag(bytes_.data() + at_) == tags::item_end;
}

Verdict Walker::header(Element& element) noexcept {
  element = {};
  element.start = at_;
  if (!shows(8)) return {Problem::truncated};
  const std::uint8_t* bytes = bytes_.data() + at_;
  element.tag = load_tag(bytes);
  if (--elements_left_ < 0) return {Problem::too_many_elements, element.tag};
  if (element.tag >> 16 == 0xfffe) return {Problem::malformed, element.tag};
  if (!explicit_vr_) {
    element.length = load32(bytes + 4);
    at_ += 8;
  } else {
    element.vr = load16(bytes + 4);
    if (has_long_form(element.vr)) {
      if (!shows(12)) return {Problem::truncated, element.tag};
      if (load16(bytes + 6) != 0) return {Problem::malformed, element.tag};
      element.length = load32(bytes + 8);
      at_ += 12;
    } else if (is_known_vr(element.vr)) {
      element.length = load16(bytes + 6);
      at_ += 8;
    } else {
      return {Problem::malformed, element.tag};
    }
  }
  element.value = at_;
  if (element.length == kUndefinedLength) {
    const bool holds_items = element.vr == 0 || element.vr == vr("SQ") ||
                             (element.tag == tags::pixel_data && element.vr == vr("OB"));
    return {holds_items ? Problem::none : Problem::malformed, element.tag};
  }
  if (!has(element.length)) return {Problem::truncated, element.tag};
  return {};
}

Verdict Walker::item(std::uint32_t& tag, std::uint32_t& length) noexcept {
  if (!shows(8)) return {Problem::truncated};
  tag = load_tag(bytes_.data() + at_);
  length = load32(bytes_.data() + at_ + 4);
  if (--elements_left_ < 0) return {Problem::too_many_elements, tag};
  at_ += 8;
  if (tag == tags::item) {
    const bool inside = length == kUndefinedLength || has(length);
    return {inside ? Problem::none : Problem::truncated, tag};
  }
  const bool is_delimiter = tag == tags::item_end || tag == tags::sequence_end;
  return {is_delimiter && length == 0 ? Problem::none : Problem::malformed, tag};
}

Verdict Walker::skip(const Element& element) noexcept { return skip(element, 0); }

Verdict Walker::skip(const Element& element, int depth) noexcept {
  if (element.length == kUndefinedLength) return skip_items(element.tag, depth + 1);
  at_ += element.length;
  return {};
}

Verdict Walker::skip_items(std::uint32_t sequence, int depth) noexcept {
  if (depth > kMaxNesting) return {Problem::nested_too_deeply, sequence};
  while (true) {
    std::uint32_t tag = 0;
    std::uint32_t length = 0;
    if (const Verdict verdict = item(tag, length); !verdict) return verdict;
    if (tag == tags::sequence_end) return {};
    if (tag != tags::item) return {Problem::malformed, sequence};
    if (length != kUndefinedLength) {
      at_ += length;
    } else if (const Verdict verdict = skip_elements(depth); !verdict) {
      return verdict;
    }
  }
}

Verdict Walker::skip_elements(int depth) noexcept {
  while (true) {
    if (is_at_item_end()) {
      std::uint32_t tag = 0;
      std::uint32_t length = 0;
      return item(tag, length);
    }
    Element element;
    if (const Verdict verdict = header(element); !verdict) return verdict;
    if (const Verdict verdict = skip(element, depth); !verdict) return verdict;
  }
}

}  // namespace rgan
