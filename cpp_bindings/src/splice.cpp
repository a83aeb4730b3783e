#include "rgan/splice.hpp"

#include <algorithm>
#include <cstring>

namespace rgan {
namespace {

void append(std::vector<std::uint8_t>& out, Bytes bytes) {
  out.insert(out.end(), bytes.begin(), bytes.end());
}

void append16(std::vector<std::uint8_t>& out, std::uint32_t value) {
  out.push_back(static_cast<std::uint8_t>(value));
  out.push_back(static_cast<std::uint8_t>(value >> 8));
}

void append32(std::vector<std::uint8_t>& out, std::uint32_t value) {
  append16(out, value & 0xffff);
  append16(out, value >> 16);
}

void append_tag(std::vector<std::uint8_t>& out, std::uint32_t tag) {
  append16(out, tag >> 16);
  append16(out, tag & 0xffff);
}

// No private elements, no retired group lengths (PS3.5 7.2), none of the file's or a command's
// groups.
bool belongs_into_a_data_set(std::uint32_t tag) noexcept {
  const std::uint32_t group = tag >> 16;
  return group >= 0x0008 && group % 2 == 0 && (tag & 0xffff) != 0;
}

// The elements of a file's data set up to its pixel data.
class TopLevel {
 public:
  TopLevel(Bytes file, const PixelHeader& source) noexcept
      : bytes_(file.first(source.pixel_data.start)),
        walker_(bytes_, bytes_.size(), source.data_set,
                source.syntax != TransferSyntax::implicit_little_endian) {}

  // False at the end, or where `verdict` is a problem.
  bool next(Element& element) noexcept {
    if (!verdict_ || walker_.at_end()) return false;
    verdict_ = walker_.header(element);
    if (verdict_) verdict_ = walker_.skip(element);
    return static_cast<bool>(verdict_);
  }

  // The value of the element that was last given; of a sequence with its delimiters.
  Bytes value(const Element& element) const noexcept {
    return bytes_.subspan(element.value, walker_.at() - element.value);
  }

  Bytes bytes() const noexcept { return bytes_; }
  bool explicit_vr() const noexcept { return walker_.explicit_vr(); }
  const Verdict& verdict() const noexcept { return verdict_; }

 private:
  Bytes bytes_;
  Walker walker_;
  Verdict verdict_;
};

// Copies elements of one data set, of the file's or of an item in a sequence.
class Copier {
 public:
  Copier(Bytes file, const SplicePlan& plan, std::vector<std::uint8_t>& out) noexcept
      : file_(file), plan_(plan), out_(out) {}

  // Copy an element with its value.
  Verdict element(const Element& element, bool explicit_vr, int depth);

 private:
  Verdict representation(const Element& element, std::uint16_t& name) const noexcept;
  Verdict value(const Element& element, std::uint16_t name);
  Verdict sequence(const Element& element, bool explicit_vr, int depth);
  Verdict item(Walker& walker, std::uint32_t length, int depth);
  void patch(std::size_t length_at);

  Bytes file_;
  const SplicePlan& plan_;
  std::vector<std::uint8_t>& out_;
};

Verdict Copier::representation(const Element& element, std::uint16_t& name) const noexcept {
  name = element.vr;
  if (name == 0) {
    const auto& known = plan_.representations;
    const auto found =
        std::ranges::lower_bound(known, element.tag, {}, &SplicePlan::Representation::tag);
    if (found == known.end() || found->tag != element.tag) {
      return {Problem::header_differs, element.tag};
    }
    name = found->vr;
  }
  // What a reader may take for another representation is not copied blindly.
  return {name == vr("UN") ? Problem::unusual_value : Problem::none, element.tag};
}

Verdict Copier::element(const Element& element, bool explicit_vr, int depth) {
  std::uint16_t name = 0;
  if (const Verdict verdict = representation(element, name); !verdict) return verdict;
  if (name == vr("SQ")) return sequence(element, explicit_vr, depth);
  if (element.length == kUndefinedLength) return {Problem::malformed, element.tag};
  return value(element, name);
}

Verdict Copier::value(const Element& element, std::uint16_t name) {
  if (element.length % 2 != 0) return {Problem::unusual_value, element.tag};
  append_tag(out_, element.tag);
  append16(out_, name);
  if (has_long_form(name)) {
    append16(out_, 0);
    append32(out_, element.length);
  } else {
    if (element.length > 0xffff) return {Problem::unusual_value, element.tag};
    append16(out_, element.length);
  }
  append(out_, file_.subspan(element.value, element.length));
  return {};
}

void Copier::patch(std::size_t length_at) {
  const std::size_t length = out_.size() - length_at - 4;
  for (std::size_t i = 0; i < 4; ++i) {
    out_[length_at + i] = static_cast<std::uint8_t>(length >> (8 * i));
  }
}

Verdict Copier::sequence(const Element& element, bool explicit_vr, int depth) {
  if (depth >= kMaxNesting) return {Problem::nested_too_deeply, element.tag};
  append_tag(out_, element.tag);
  append16(out_, vr("SQ"));
  append16(out_, 0);
  const std::size_t length_at = out_.size();
  append32(out_, 0);
  const bool has_end = element.length == kUndefinedLength;
  const std::size_t end = has_end ? file_.size() : element.value + element.length;
  Walker walker(file_.first(end), end, element.value, explicit_vr);
  while (has_end || !walker.at_end()) {
    std::uint32_t tag = 0;
    std::uint32_t length = 0;
    if (const Verdict verdict = walker.item(tag, length); !verdict) return verdict;
    if (has_end && tag == tags::sequence_end) break;
    if (tag != tags::item) return {Problem::malformed, element.tag};
    if (const Verdict verdict = item(walker, length, depth + 1); !verdict) return verdict;
  }
  patch(length_at);
  return {};
}

Verdict Copier::item(Walker& walker, std::uint32_t length, int depth) {
  append_tag(out_, tags::item);
  const std::size_t length_at = out_.size();
  append32(out_, 0);
  const bool has_end = length == kUndefinedLength;
  const std::size_t end = walker.at() + (has_end ? 0 : length);
  std::uint32_t last = 0;
  while (has_end || walker.at() < end) {
    if (has_end && walker.is_at_item_end()) {
      std::uint32_t tag = 0;
      std::uint32_t none = 0;
      if (const Verdict verdict = walker.item(tag, none); !verdict) return verdict;
      break;
    }
    Element inner;
    if (const Verdict verdict = walker.header(inner); !verdict) return verdict;
    if (inner.tag <= last) return {Problem::unordered, inner.tag};
    last = inner.tag;
    if (belongs_into_a_data_set(inner.tag)) {
      const Verdict verdict = element(inner, walker.explicit_vr(), depth);
      if (!verdict) return verdict;
    }
    if (const Verdict verdict = walker.skip(inner); !verdict) return verdict;
  }
  if (!has_end && walker.at() != end) return {Problem::malformed, tags::item};
  patch(length_at);
  return {};
}

// The elements that are new, from two lists, by ascending tag.
class Merged {
 public:
  Merged(std::span<const EncodedElement> own, std::span<const EncodedElement> plan) noexcept
      : own_(own), plan_(plan) {}

  const EncodedElement* next() const noexcept {
    if (own_.empty()) return plan_.empty() ? nullptr : &plan_.front();
    return plan_.empty() || own_.front().tag <= plan_.front().tag ? &own_.front() : &plan_.front();
  }

  void pop() noexcept {
    const std::uint32_t tag = next()->tag;
    if (!own_.empty() && own_.front().tag == tag) own_ = own_.subspan(1);
    if (!plan_.empty() && plan_.front().tag == tag) plan_ = plan_.subspan(1);
  }

 private:
  std::span<const EncodedElement> own_;
  std::span<const EncodedElement> plan_;
};

// Compares a data set, element by element, with what a plan depends on.
class Dependencies {
 public:
  explicit Dependencies(std::span<const SplicePlan::Dependency> left) noexcept : left_(left) {}

  Verdict see(std::uint32_t tag, Bytes value) noexcept {
    if (const Verdict verdict = pass(tag); !verdict) return verdict;
    if (left_.empty() || left_.front().tag != tag) return {};
    const auto& wanted = left_.front().value;
    left_ = left_.subspan(1);
    const bool is_alike = wanted && std::ranges::equal(value, *wanted);
    return {is_alike ? Problem::none : Problem::header_differs, tag};
  }

  // Nothing with a lower tag comes any more.
  Verdict pass(std::uint32_t tag) noexcept {
    for (; !left_.empty() && left_.front().tag < tag; left_ = left_.subspan(1)) {
      if (left_.front().value) return {Problem::header_differs, left_.front().tag};
    }
    return {};
  }

 private:
  std::span<const SplicePlan::Dependency> left_;
};

}  // namespace

std::vector<SplicePlan::Dependency> find_dependencies(Bytes file, const PixelHeader& source,
                                                      std::vector<std::uint32_t> tags) {
  std::ranges::sort(tags);
  std::vector<SplicePlan::Dependency> found;
  found.reserve(tags.size());
  for (const std::uint32_t tag : tags) found.push_back({tag, std::nullopt});
  TopLevel elements(file, source);
  Element element;
  while (elements.next(element)) {
    const auto wanted =
        std::ranges::lower_bound(found, element.tag, {}, &SplicePlan::Dependency::tag);
    if (wanted == found.end() || wanted->tag != element.tag) continue;
    const Bytes value = elements.value(element);
    wanted->value.emplace(value.begin(), value.end());
  }
  return found;
}

Verdict splice_header(Bytes file, const PixelHeader& source, const SplicePlan& plan,
                      std::span<const EncodedElement> own, std::vector<std::uint8_t>& out) {
  TopLevel elements(file, source);
  Copier copier(elements.bytes(), plan, out);
  Merged fresh(own, plan.elements);
  Dependencies dependencies(plan.dependencies);
  Element element;
  while (elements.next(element)) {
    const Verdict alike = dependencies.see(element.tag, elements.value(element));
    if (!alike) return alike;
    for (; fresh.next() && fresh.next()->tag < element.tag; fresh.pop()) {
      append(out, fresh.next()->bytes);
    }
    if (fresh.next() && fresh.next()->tag == element.tag) continue;  // is put in place next
    if (!belongs_into_a_data_set(element.tag) ||
        std::ranges::binary_search(plan.removed, element.tag)) {
      continue;
    }
    const Verdict verdict = copier.element(element, elements.explicit_vr(), 0);
    if (!verdict) return verdict;
  }
  if (!elements.verdict()) return elements.verdict();
  for (; fresh.next(); fresh.pop()) append(out, fresh.next()->bytes);
  return dependencies.pass(tags::pixel_data);
}

}  // namespace rgan
