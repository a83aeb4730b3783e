// The header of a derived object: the bytes of the source with some elements replaced.
//
// The caller decides once for a series what is replaced, added and removed, and makes this a
// template. A slice is a problem if its header differs in anything that the template depends on.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "rgan/element.hpp"
#include "rgan/slice_header.hpp"
#include "rgan/status.hpp"

namespace rgan {

// An element in Explicit VR Little Endian, header and value.
struct EncodedElement {
  std::uint32_t tag = 0;
  std::vector<std::uint8_t> bytes;
};

// What all derived headers of a series have in common. Each list is in the order of its tags.
// Nothing in a call changes it, so threads may share it.
struct HeaderTemplate {
  // An element that must be as in the first slice of the series, or absent as there.
  struct Dependency {
    std::uint32_t tag = 0;
    std::optional<std::vector<std::uint8_t>> value;
  };

  // The VR that a tag has in the first slice. Needed for sources in implicit VR.
  struct Representation {
    std::uint32_t tag = 0;
    std::uint16_t vr = 0;
  };

  std::vector<EncodedElement> elements;  // these are added, or replace those of the source
  std::vector<std::uint32_t> removed;
  std::vector<Dependency> dependencies;
  std::vector<Representation> representations;
};

// Return the values of some tags in the first slice of a series. `file` holds the file at least up
// to its pixel data. May throw std::bad_alloc.
[[nodiscard]] std::vector<HeaderTemplate::Dependency> find_dependencies(
    Bytes file, const PixelHeader& source, std::vector<std::uint32_t> tags);

// Append to `out` the derived data set up to its pixel data, in Explicit VR Little Endian.
//
// `file` holds the source at least up to its pixel data. `own` are the elements of this slice
// alone, in the order of their tags; they take precedence over those of the template. Private
// elements are dropped at all levels. An overlay plane without an OverlayData of its own is a
// problem. If there is a problem, `out` has only a part of the header.
// May throw std::bad_alloc.
Status splice_header(Bytes file, const PixelHeader& source, const HeaderTemplate& header_template,
                     std::span<const EncodedElement> own, std::vector<std::uint8_t>& out);

}  // namespace rgan
