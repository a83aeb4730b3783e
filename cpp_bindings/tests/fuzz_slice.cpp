// libFuzzer: any bytes at all through the parser, the decoders and the splicer.
//
// The input is a file. What is found in it is used as the batch functions use it, each buffer just
// as large as it must be, so that a sanitizer sees the first byte too many.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "rgan/pixels.hpp"
#include "rgan/slice_header.hpp"
#include "rgan/splice.hpp"

namespace {

constexpr std::size_t kMaxPixels = std::size_t{1} << 20;  // more says nothing new

rgan::SplicePlan make_plan() {
  rgan::SplicePlan plan;
  plan.elements.push_back({0x0008103e, {0x08, 0x00, 0x3e, 0x10, 'L', 'O', 0, 0}});
  plan.removed = {0x00280106, 0x00280107};
  // Some of all tags have a representation, sequences among them, as in a file without.
  for (std::uint32_t tag = 0x00080000; tag < 0x00290000; tag += 7) {
    plan.representations.push_back({tag, tag % 5 == 0 ? rgan::vr("SQ") : rgan::vr("LO")});
  }
  return plan;
}

void use_pixels(rgan::Bytes file, const rgan::PixelHeader& header) {
  if (header.format.pixels() > kMaxPixels) return;
  std::vector<float> hu(header.format.pixels());
  std::vector<std::uint8_t> kept;
  std::vector<std::uint8_t> scratch;
  rgan::PixelNotes notes;
  const rgan::Verdict verdict = rgan::decode_pixels(file, header, hu.data(), kept, scratch, notes);
  if (verdict.problem == rgan::Problem::transfer_syntax) {
    const std::vector<std::uint8_t> cells(header.format.bytes(), file.back());
    if (!rgan::convert_cells(cells.data(), header, hu.data(), kept)) return;
  } else if (!verdict) {
    return;
  } else if ((notes.padded == 0) != kept.empty()) {
    std::abort();
  }
  if (notes.behind > file.size()) std::abort();
  std::vector<std::uint8_t> stored(header.format.bytes());
  std::size_t clips = 0;
  if (!rgan::encode_pixels(hu.data(), header, kept, stored.data(), clips)) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::vector<std::uint8_t> file(data, data + size);
  const std::vector<std::uint8_t> head(data, data + size / 2);
  rgan::SliceHeader header;
  rgan::parse_slice_header(head, size, header);
  rgan::PixelHeader pixels;
  if (!rgan::parse_pixel_header(file, size, pixels)) return 0;
  rgan::parse_slice_header(file, size, header);
  use_pixels(file, pixels);
  std::vector<std::uint8_t> out;
  static rgan::SplicePlan plan = make_plan();
  plan.dependencies = rgan::find_dependencies(file, pixels, {0x00080008, 0x00281053, 0x0040a170});
  rgan::splice_header(file, pixels, plan, {}, out);
  return 0;
}
