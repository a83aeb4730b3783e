// Tests of slices that are wrong in single bytes, which are easier to make in C++ than in Python.

#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "check.hpp"
#include "dicom_bytes.hpp"
#include "rgan/pixels.hpp"
#include "rgan/rle.hpp"
#include "rgan/scan.hpp"
#include "rgan/slice_header.hpp"
#include "rgan/splice.hpp"
#include "rgan/thread_pool.hpp"

namespace {

using bytes::Vector;

rgan::Status parse(const Vector& file) {
  rgan::SliceHeader header;
  return rgan::parse_slice_header(file, file.size(), header);
}

void test_a_plain_slice() {
  const Vector file = bytes::slice();
  rgan::SliceHeader header;
  check(rgan::parse_slice_header(file, file.size(), header));
  check(header.sop_instance_uid == "1.2.3.4");
  check(header.position[2] == 1.5);
  std::vector<float> hu(16);
  std::vector<std::uint8_t> stored;
  std::vector<std::uint8_t> scratch;
  rgan::DecodeResult result;
  check(rgan::decode_pixels(file, header, hu.data(), stored, scratch, result));
  check(hu[3] == 300 - 1024);
  check(stored.empty() && result.end == file.size());
}

void test_padding_is_found_by_stored_values() {
  const Vector file = bytes::slice();
  rgan::SliceHeader header;
  check(rgan::parse_slice_header(file, file.size(), header));
  std::vector<float> hu(16);
  std::vector<std::uint8_t> stored;
  std::vector<std::uint8_t> scratch;
  rgan::DecodeResult result;
  header.padding = rgan::Padding::between(500, 300);
  check(rgan::decode_pixels(file, header, hu.data(), stored, scratch, result));
  check(stored.size() == header.format.bytes());
  std::vector<float> harmonized(16, 7);
  rgan::fill_padding(header, stored, -2000, harmonized.data());
  for (std::size_t i = 0; i < harmonized.size(); ++i) {
    check(harmonized[i] == (3 <= i && i <= 5 ? -2000.0F : 7.0F));
  }
  rgan::fill_padding(header, {}, -3000, harmonized.data());  // nothing is stored
  header.padding.reset();
  rgan::fill_padding(header, stored, -3000, harmonized.data());
  check(harmonized[3] == -2000.0F);
}

// A head's texts point into its own bytes.
static_assert(!std::is_copy_constructible_v<rgan::Head>);
static_assert(!std::is_copy_assignable_v<rgan::Head>);
static_assert(std::is_nothrow_move_constructible_v<rgan::Head>);
static_assert(std::is_nothrow_move_assignable_v<rgan::Head>);

void test_a_head_that_is_moved_keeps_its_texts() {
  const std::filesystem::path path =
      std::filesystem::temp_directory_path() / ("rgan-" + std::to_string(::getpid()) + ".dcm");
  const Vector file = bytes::slice();
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(file.data()), static_cast<std::streamsize>(file.size()));
  rgan::ThreadPool pool(1);
  std::vector<rgan::Head> heads = rgan::scan({path.string(), path.string() + ".absent"}, pool);
  std::filesystem::remove(path);
  check(heads[1].status.problem == rgan::Problem::cannot_open);
  check(heads[0].status);
  const rgan::Head moved = std::move(heads[0]);
  heads.clear();
  check(moved.header.sop_instance_uid == "1.2.3.4");
  const auto* text = reinterpret_cast<const std::uint8_t*>(moved.header.sop_instance_uid.data());
  check(text >= moved.bytes.data() && text < moved.bytes.data() + moved.bytes.size());
}

void test_every_shorter_file_is_handed_back() {
  const Vector file = bytes::slice();
  bool all_refused = true;
  for (std::size_t size = 0; size < file.size(); ++size) {
    all_refused = all_refused &&
                  !parse(Vector(file.begin(), file.begin() + static_cast<std::ptrdiff_t>(size)));
  }
  check(all_refused);
}

// Only where more of the file would help, so that no more is read of a file that is cut.
void test_a_head_that_ends_early_is_told_from_a_file_that_does() {
  const Vector file = bytes::slice();
  rgan::SliceHeader header;
  check(rgan::parse_slice_header(file, file.size(), header));
  const std::size_t needed = header.pixel_data.value;
  for (std::size_t size = 140; size < needed; ++size) {
    const rgan::Bytes head = rgan::Bytes(file).first(size);
    const rgan::Problem problem = rgan::parse_slice_header(head, file.size(), header).problem;
    check(problem == rgan::Problem::beyond_head);
    check(parse({head.begin(), head.end()}).problem != rgan::Problem::beyond_head);
  }
}

void test_file_meta_information_has_no_sequences() {
  Vector file = bytes::file_meta("1.2.840.10008.1.2.1");
  bytes::long_header(file, 0x00020100, "SQ", rgan::kUndefinedLength);
  const rgan::Status status = parse(file);
  check(status.problem == rgan::Problem::malformed && status.tag == 0x00020100);
}

void test_nesting_is_bounded() {
  for (const int depth : {10, 60, 70, 100'000}) {
    Vector extra;
    for (int i = 0; i < depth; ++i) {
      bytes::long_header(extra, 0x00280009, "SQ", rgan::kUndefinedLength);
      bytes::tag(extra, rgan::tags::item);
      bytes::put(extra, rgan::kUndefinedLength, 4);
    }
    for (int i = 0; i < depth; ++i) {
      bytes::tag(extra, rgan::tags::item_end);
      bytes::put(extra, 0, 4);
      bytes::tag(extra, rgan::tags::sequence_end);
      bytes::put(extra, 0, 4);
    }
    const rgan::Status status = parse(bytes::slice(extra));
    check(status.problem ==
          (depth <= rgan::kMaxNesting ? rgan::Problem::none : rgan::Problem::nested_too_deeply));
  }
}

void test_elements_are_counted() {
  Vector extra;
  bytes::long_header(extra, 0x00280009, "SQ", rgan::kUndefinedLength);
  for (int i = 0; i <= rgan::kMaxElements; ++i) {
    bytes::tag(extra, rgan::tags::item);
    bytes::put(extra, 0, 4);
  }
  bytes::tag(extra, rgan::tags::sequence_end);
  bytes::put(extra, 0, 4);
  check(parse(bytes::slice(extra)).problem == rgan::Problem::too_many_elements);
}

void test_unusual_values_are_named() {
  struct Case {
    std::uint32_t tag;
    std::string vr;
    std::string value;
    rgan::Problem problem;
  };
  const std::vector<Case> cases = {
      {0x00280002, "US", std::string("\3\0", 2), rgan::Problem::pixel_format},
      {0x00280008, "IS", "2 ", rgan::Problem::pixel_format},
      {0x00280004, "UL", std::string("\0\0\0\0", 4), rgan::Problem::unusual_value},
      {0x00280002, "US", "", rgan::Problem::none},
      {0x00200052, "UI", "1.2\\1.3 ", rgan::Problem::none},
      {0x00200052, "UI", "1.\xc3\xa4", rgan::Problem::unusual_value},
  };
  for (const Case& one : cases) {
    Vector extra;
    bytes::element(extra, one.tag, one.vr, one.value);
    const rgan::Status status = parse(bytes::slice(extra));
    check(status.problem == one.problem);
    check(status || status.tag == one.tag);
  }
}

Vector rle_frame(const Vector& high, const Vector& low) {
  Vector frame;
  bytes::put(frame, 2, 4);
  bytes::put(frame, 64, 4);
  bytes::put(frame, static_cast<std::uint32_t>(64 + high.size()), 4);
  frame.resize(64, 0);
  frame.insert(frame.end(), high.begin(), high.end());
  frame.insert(frame.end(), low.begin(), low.end());
  return frame;
}

void test_rle() {
  const Vector high = {253, 1};            // four times 1
  const Vector low = {1, 10, 11, 255, 7};  // 10, 11, twice 7
  std::vector<std::uint8_t> cells(8);
  check(rgan::decode_rle(rle_frame(high, low), 2, cells));
  check((cells == std::vector<std::uint8_t>{10, 1, 11, 1, 7, 1, 7, 1}));
  const std::vector<Vector> broken = {
      {},              // nothing
      {1, 10, 11},     // too few
      {1, 10},         // a literal run beyond the end
      {255},           // a replicated byte that is not there
      {252, 7},        // one too many
      {253, 7, 0, 0},  // more than a byte behind
  };
  for (const Vector& segment : broken) check(!rgan::decode_rle(rle_frame(high, segment), 2, cells));
  check(rgan::decode_rle(rle_frame(high, {253, 7, 0}), 2, cells));
  Vector frame = rle_frame(high, low);
  frame[4] = 63;  // a segment inside the header
  check(!rgan::decode_rle(frame, 2, cells));
  check(!rgan::decode_rle(Vector(10), 2, cells));
}

void test_splicing() {
  Vector extra;
  bytes::element(extra, 0x00210010, "LO", "PRIVATE ");
  bytes::element(extra, 0x00280002, 1);
  const Vector file = bytes::slice(extra);
  rgan::PixelHeader header;
  check(rgan::parse_pixel_header(file, file.size(), header));
  rgan::HeaderTemplate header_template;
  Vector description;
  bytes::element(description, 0x0008103e, "LO", "new ");
  header_template.elements.push_back({0x0008103e, description});
  header_template.removed = {0x00200032};
  header_template.dependencies = rgan::find_dependencies(file, header, {0x00281053, 0x00080070});
  std::vector<std::uint8_t> out;
  check(rgan::splice_header(file, header, header_template, {}, out));
  Vector wanted(file.begin() + static_cast<std::ptrdiff_t>(header.data_set),
                file.begin() + static_cast<std::ptrdiff_t>(header.pixel_data.start));
  check(out.size() == wanted.size() + description.size() - (8 + 8) - (8 + 8));
  header_template.dependencies[0].value = Vector{'x'};
  check(rgan::splice_header(file, header, header_template, {}, out).problem ==
        rgan::Problem::header_differs);
}

}  // namespace

int main() {
  test_a_plain_slice();
  test_padding_is_found_by_stored_values();
  test_a_head_that_is_moved_keeps_its_texts();
  test_every_shorter_file_is_handed_back();
  test_a_head_that_ends_early_is_told_from_a_file_that_does();
  test_file_meta_information_has_no_sequences();
  test_nesting_is_bounded();
  test_elements_are_counted();
  test_unusual_values_are_named();
  test_rle();
  test_splicing();
  return report();
}
