// For libFuzzer: sends any bytes through the parser, the decoders and the splicer.
//
// The input is taken as a file. What is found in it is used as the batch functions use it. Each
// buffer is just as large as it must be, so that a sanitizer sees the first byte too many.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <tuple>
#include <vector>

#include "rgan/pixels.hpp"
#include "rgan/slice_header.hpp"
#include "rgan/splice.hpp"

namespace {

constexpr std::size_t kMaxPixels = std::size_t{1} << 20;  // more pixels test nothing new

rgan::HeaderTemplate make_template() {
  rgan::HeaderTemplate header_template;
  header_template.elements.push_back({0x0008103e, {0x08, 0x00, 0x3e, 0x10, 'L', 'O', 0, 0}});
  header_template.removed = {0x00280106, 0x00280107};
  // Some tags have a VR, and some of these are sequences, as a source in implicit VR needs them.
  for (std::uint32_t tag = 0x00080000; tag < 0x00290000; tag += 7) {
    header_template.representations.push_back(
        {tag, tag % 5 == 0 ? rgan::vr("SQ") : rgan::vr("LO")});
  }
  return header_template;
}

void use_pixels(rgan::Bytes file, const rgan::PixelHeader& header) {
  if (header.format.pixels() > kMaxPixels) return;
  std::vector<float> hu(header.format.pixels());
  std::vector<std::uint8_t> stored;
  std::vector<std::uint8_t> scratch;
  rgan::DecodeResult result;
  const rgan::Status status = rgan::decode_pixels(file, header, hu.data(), stored, scratch, result);
  if (status.problem == rgan::Problem::transfer_syntax) {
    const std::vector<std::uint8_t> cells(header.format.bytes(), file.back());
    if (!rgan::convert_cells(cells.data(), header, hu.data(), stored)) return;
  } else if (!status) {
    return;
  } else if ((result.padded == 0) != stored.empty()) {
    std::abort();
  }
  if (result.end > file.size()) std::abort();
  std::vector<std::uint8_t> cells(header.format.bytes());
  std::size_t clips = 0;
  if (!rgan::encode_pixels(hu.data(), header, stored, cells.data(), clips)) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::vector<std::uint8_t> file(data, data + size);
  const std::vector<std::uint8_t> head(data, data + (size / 2));
  rgan::SliceHeader header;
  std::ignore = rgan::parse_slice_header(head, size, header);
  rgan::PixelHeader pixels;
  if (!rgan::parse_pixel_header(file, size, pixels)) return 0;
  std::ignore = rgan::parse_slice_header(file, size, header);
  use_pixels(file, pixels);
  std::vector<std::uint8_t> out;
  static rgan::HeaderTemplate header_template = make_template();
  header_template.dependencies =
      rgan::find_dependencies(file, pixels, {0x00080008, 0x00281053, 0x0040a170});
  std::ignore = rgan::splice_header(file, pixels, header_template, {}, out);
  return 0;
}
