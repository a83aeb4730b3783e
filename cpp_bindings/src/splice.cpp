#include "rgan/splice.hpp"

#include <algorithm>
#include <utility>

#include "append.hpp"
#include "data_set.hpp"

namespace rgan {
namespace {

// Whether a derived data set may hold the tag: no private elements, no retired group lengths
// (PS3.5 7.2), and no groups of the file or of a command.
bool belongs_in_data_set(std::uint32_t tag) noexcept {
  const std::uint32_t group = tag >> 16;
  return group >= 0x0008 && group % 2 == 0 && (tag & 0xffff) != 0;
}

// Copies elements into explicit VR, with all that is nested in them.
class ElementCopier {
 public:
  ElementCopier(Bytes file, std::span<const HeaderTemplate::Representation> representations,
                std::vector<std::uint8_t>& out) noexcept
      : file_(file), representations_(representations), out_(out) {}

  Status copy(const Element& element, bool explicit_vr, int depth);

 private:
  Status find_vr(const Element& element, std::uint16_t& name) const noexcept;
  Status copy_value(const Element& element, std::uint16_t name);
  Status copy_sequence(const Element& element, bool explicit_vr, int depth);
  Status copy_item(ElementReader& reader, std::uint32_t length, int depth);
  void write_length(std::size_t offset);

  Bytes file_;
  std::span<const HeaderTemplate::Representation> representations_;
  std::vector<std::uint8_t>& out_;
};

Status ElementCopier::find_vr(const Element& element, std::uint16_t& name) const noexcept {
  name = element.vr;
  if (name == 0) {
    const auto found = std::ranges::lower_bound(representations_, element.tag, {},
                                                &HeaderTemplate::Representation::tag);
    if (found == representations_.end() || found->tag != element.tag) {
      return {Problem::header_differs, element.tag};
    }
    name = found->vr;
  }
  // Readers may look up a VR of their own for UN, so such an element is not copied blindly.
  return {name == vr("UN") ? Problem::unusual_value : Problem::none, element.tag};
}

Status ElementCopier::copy(const Element& element, bool explicit_vr, int depth) {
  std::uint16_t name = 0;
  if (const Status status = find_vr(element, name); !status) return status;
  if (name == vr("SQ")) return copy_sequence(element, explicit_vr, depth);
  if (element.length == kUndefinedLength) return {Problem::malformed, element.tag};
  return copy_value(element, name);
}

Status ElementCopier::copy_value(const Element& element, std::uint16_t name) {
  if (element.length % 2 != 0) return {Problem::unusual_value, element.tag};
  if (has_long_form(name)) {
    append_long_header(out_, element.tag, name, element.length);
  } else {
    if (element.length > 0xffff) return {Problem::unusual_value, element.tag};
    append_tag(out_, element.tag);
    append16(out_, name);
    append16(out_, element.length);
  }
  append(out_, file_.subspan(element.value, element.length));
  return {};
}

// Fill in, at `offset` of the output, the length of what was appended after it.
void ElementCopier::write_length(std::size_t offset) {
  const std::size_t length = out_.size() - offset - 4;
  for (std::size_t i = 0; i < 4; ++i) {
    out_[offset + i] = static_cast<std::uint8_t>(length >> (8 * i));
  }
}

Status ElementCopier::copy_sequence(const Element& element, bool explicit_vr, int depth) {
  if (depth >= kMaxNesting) return {Problem::nested_too_deeply, element.tag};
  append_long_header(out_, element.tag, vr("SQ"), 0);
  const std::size_t length_offset = out_.size() - 4;
  const bool has_delimiter = element.length == kUndefinedLength;
  const std::size_t end = has_delimiter ? file_.size() : element.value + element.length;
  ElementReader reader(file_.first(end), end, element.value, explicit_vr);
  while (has_delimiter || !reader.is_at_end()) {
    Item item;
    if (const Status status = reader.read_item(item); !status) return status;
    if (has_delimiter && item.tag == tags::sequence_end) break;
    if (item.tag != tags::item) return {Problem::malformed, element.tag};
    const Status status = copy_item(reader, item.length, depth + 1);
    if (!status) return status;
  }
  write_length(length_offset);
  return {};
}

Status ElementCopier::copy_item(ElementReader& reader, std::uint32_t length, int depth) {
  append_tag(out_, tags::item);
  const std::size_t length_offset = out_.size();
  append32(out_, 0);
  const bool has_delimiter = length == kUndefinedLength;
  const std::size_t end = reader.offset() + (has_delimiter ? 0 : length);
  std::uint32_t last = 0;
  while (has_delimiter || reader.offset() < end) {
    if (has_delimiter && reader.is_at_item_end()) {
      Item delimiter;
      if (const Status status = reader.read_item(delimiter); !status) return status;
      break;
    }
    Element element;
    if (const Status status = reader.read_header(element); !status) return status;
    if (element.tag <= last) return {Problem::unordered, element.tag};
    last = element.tag;
    if (belongs_in_data_set(element.tag)) {
      const Status status = copy(element, reader.is_explicit_vr(), depth);
      if (!status) return status;
    }
    if (const Status status = reader.skip_value(element); !status) return status;
  }
  if (!has_delimiter && reader.offset() != end) return {Problem::malformed, tags::item};
  write_length(length_offset);
  return {};
}

// The new elements from two lists, in the order of their tags. Of two with the same tag, that of
// `own` is taken.
class NewElements {
 public:
  NewElements(std::span<const EncodedElement> own, std::span<const EncodedElement> common) noexcept
      : own_(own), common_(common) {}

  // Return the next element, or null at the end.
  [[nodiscard]] const EncodedElement* next() const noexcept {
    if (own_.empty()) return common_.empty() ? nullptr : &common_.front();
    if (common_.empty()) return &own_.front();
    return own_.front().tag <= common_.front().tag ? &own_.front() : &common_.front();
  }

  void pop() noexcept {
    const std::uint32_t tag = next()->tag;
    if (!own_.empty() && own_.front().tag == tag) own_ = own_.subspan(1);
    if (!common_.empty() && common_.front().tag == tag) common_ = common_.subspan(1);
  }

 private:
  std::span<const EncodedElement> own_;
  std::span<const EncodedElement> common_;
};

// Compares a data set, element by element, with what a template depends on.
class DependencyChecker {
 public:
  explicit DependencyChecker(std::span<const HeaderTemplate::Dependency> left) noexcept
      : left_(left) {}

  // Check the next element, and that nothing is missing before it.
  Status check(std::uint32_t tag, Bytes value) noexcept {
    if (const Status status = check_absent_before(tag); !status) return status;
    if (left_.empty() || left_.front().tag != tag) return {};
    const auto& wanted = left_.front().value;
    left_ = left_.subspan(1);
    const bool is_equal = wanted && std::ranges::equal(value, *wanted);
    return {is_equal ? Problem::none : Problem::header_differs, tag};
  }

  // The data set has none of the tags that are left below `tag`: check that the first slice has
  // none of them either.
  Status check_absent_before(std::uint32_t tag) noexcept {
    for (; !left_.empty() && left_.front().tag < tag; left_ = left_.subspan(1)) {
      if (left_.front().value) return {Problem::header_differs, left_.front().tag};
    }
    return {};
  }

 private:
  std::span<const HeaderTemplate::Dependency> left_;
};

// Looks for overlay planes (PS3.3 C.9.2) that do not have their bits in an OverlayData of their
// own. Such bits lie in the pixel cells, and are lost there.
class OverlayChecker {
 public:
  // Check the next element, and the plane before it if that is complete.
  Status check(const Element& element, Bytes value) noexcept {
    const std::uint32_t group = element.tag >> 16;
    if (group != group_) {
      if (const Status status = check_plane(); !status) return status;
      group_ = (group & 0xff00) == kOverlay && group % 2 == 0 ? group : 0;
      has_data_ = false;
    }
    const std::uint32_t number = element.tag & 0xffff;
    if (group_ == 0) return {};
    if (number == kOverlayData) has_data_ = !value.empty();
    const bool is_elsewhere =
        number == kOverlayBitPosition && std::ranges::any_of(value, [](auto b) { return b != 0; });
    return {is_elsewhere ? Problem::unusual_value : Problem::none, element.tag};
  }

  // Check the last plane.
  [[nodiscard]] Status check_plane() const noexcept {
    const bool is_complete = group_ == 0 || has_data_;
    return {is_complete ? Problem::none : Problem::missing, (group_ << 16) | kOverlayData};
  }

 private:
  static constexpr std::uint32_t kOverlay = 0x6000;
  static constexpr std::uint32_t kOverlayBitPosition = 0x0102;
  static constexpr std::uint32_t kOverlayData = 0x3000;

  std::uint32_t group_ = 0;  // of the plane that is being read, or 0
  bool has_data_ = false;
};

}  // namespace

std::vector<HeaderTemplate::Dependency> find_dependencies(Bytes file, const PixelHeader& source,
                                                          std::vector<std::uint32_t> tags) {
  std::ranges::sort(tags);
  std::vector<HeaderTemplate::Dependency> found;
  found.reserve(tags.size());
  for (const std::uint32_t tag : tags) found.push_back({.tag = tag, .value = std::nullopt});
  DataSetReader elements(file, source);
  Element element;
  while (elements.next(element)) {
    const auto wanted =
        std::ranges::lower_bound(found, element.tag, {}, &HeaderTemplate::Dependency::tag);
    if (wanted == found.end() || wanted->tag != element.tag) continue;
    const Bytes value = elements.value(element);
    wanted->value.emplace(value.begin(), value.end());
  }
  return found;
}

Status splice_header(Bytes file, const PixelHeader& source, const HeaderTemplate& header_template,
                     std::span<const EncodedElement> own, std::vector<std::uint8_t>& out) {
  DataSetReader elements(file, source);
  ElementCopier copier(elements.bytes(), header_template.representations, out);
  NewElements fresh(own, header_template.elements);
  DependencyChecker dependencies(header_template.dependencies);
  OverlayChecker overlays;
  Element element;
  while (elements.next(element)) {
    const Bytes value = elements.value(element);
    if (const Status same = dependencies.check(element.tag, value); !same) return same;
    if (const Status plain = overlays.check(element, value); !plain) return plain;
    for (; fresh.next() != nullptr && fresh.next()->tag < element.tag; fresh.pop()) {
      append(out, fresh.next()->bytes);
    }
    if (fresh.next() != nullptr && fresh.next()->tag == element.tag) continue;  // replaced
    if (!belongs_in_data_set(element.tag) ||
        std::ranges::binary_search(header_template.removed, element.tag)) {
      continue;
    }
    const Status status = copier.copy(element, elements.is_explicit_vr(), 0);
    if (!status) return status;
  }
  if (!elements.status()) return elements.status();
  if (const Status plain = overlays.check_plane(); !plain) return plain;
  for (; fresh.next() != nullptr; fresh.pop()) append(out, fresh.next()->bytes);
  return dependencies.check_absent_before(tags::pixel_data);
}

}  // namespace rgan
