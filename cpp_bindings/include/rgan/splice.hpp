// The header of a derived object: the source's bytes, with some elements replaced.
//
// What is replaced, added and removed is decided by the caller once for a series. A slice whose
// header differs in anything that this depends on is handed back.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "rgan/problem.hpp"
#include "rgan/slice_header.hpp"

namespace rgan {

// An element of Explicit VR Little Endian, header and value.
struct EncodedElement {
  std::uint32_t tag = 0;
  std::vector<std::uint8_t> bytes;
};

struct SplicePlan {
  std::vector<EncodedElement> elements;  // added or put in place, by ascending tag
  std::vector<std::uint32_t> removed;    // ascending

  // Elements that must be as in the series' first slice; absent ones must be absent.
  struct Dependency {
    std::uint32_t tag = 0;
    std::optional<std::vector<std::uint8_t>> value;
  };
  std::vector<Dependency> dependencies;  // by ascending tag

  // For a source in implicit VR: the value representations of the tags of its first slice.
  struct Representation {
    std::uint32_t tag = 0;
    std::uint16_t vr = 0;
  };
  std::vector<Representation> representations;  // by ascending tag
};

// Take from a file, given up to its pixel data, what all slices must share. May throw
// std::bad_alloc.
std::vector<SplicePlan::Dependency> find_dependencies(Bytes file, const PixelHeader& source,
                                                      std::vector<std::uint32_t> tags);

// Append to `out` the derived data set up to the pixel data, in Explicit VR Little Endian.
//
// `file` holds the source up to its pixel data at least. `own` are elements of this slice alone,
// by ascending tag; they go before those of the plan. Private elements are dropped at all
// levels. May throw std::bad_alloc.
Verdict splice_header(Bytes file, const PixelHeader& source, const SplicePlan& plan,
                      std::span<const EncodedElement> own, std::vector<std::uint8_t>& out);

}  // namespace rgan
