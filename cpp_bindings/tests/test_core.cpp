// Tests of what is easier to show in C++ than through Python: limits, and files that are wrong in
// single bytes.

#include <unistd.h>

#include <atomic>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <limits>
#include <new>
#include <stdexcept>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "check.hpp"
#include "dicom_bytes.hpp"
#include "rgan/checksum.hpp"
#include "rgan/crc32c.hpp"
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

void test_rescale_is_exact() {
  for (const rgan::Rescale rescale : {rgan::Rescale{1, -1024}, {0.5, 3}, {-2, 7}, {0.1, -3.3}}) {
    std::vector<std::int16_t> stored(65536);
    for (int i = 0; i < 65536; ++i)
      stored[static_cast<std::size_t>(i)] = static_cast<std::int16_t>(i - 32768);
    std::vector<float> hu(stored.size());
    rgan::stored_to_hu(stored.data(), stored.size(), rescale, hu.data());
    bool all_equal = true;
    for (std::size_t i = 0; i < stored.size(); ++i) {
      const double wanted = (static_cast<double>(stored[i]) * rescale.slope) + rescale.intercept;
      all_equal = all_equal && hu[i] == static_cast<float>(wanted);
    }
    check(all_equal);
    std::vector<std::int16_t> back(stored.size());
    const std::size_t clamped = rgan::hu_to_stored(hu.data(), hu.size(), rescale,
                                                   rgan::StoredRange{-32768, 32767}, back.data());
    check(clamped == 0);
    check(back == stored);
  }
}

// What hu_to_stored promises, one value at a time and in double precision.
std::uint16_t to_stored(float hu, rgan::Rescale rescale, rgan::StoredRange range, bool& clamped) {
  const double value =
      std::nearbyint((static_cast<double>(hu) - rescale.intercept) / rescale.slope);
  const bool is_inside = value >= range.minimum && value <= range.maximum;
  clamped = !is_inside;
  if (is_inside) return static_cast<std::uint16_t>(value);
  return static_cast<std::uint16_t>(value > range.maximum ? range.maximum : range.minimum);
}

void test_rounding_is_half_to_even_in_every_way() {
  std::vector<float> hu = {std::numeric_limits<float>::quiet_NaN(), 1e30F, -1e30F, 2e9F, -2e9F,
                           std::numeric_limits<float>::infinity(),  -0.5F, 0.5F,   1.5F, -1024.5F};
  for (int i = -12000; i < 12000; ++i) {
    const float half = static_cast<float>(i) * 0.5F;
    hu.insert(hu.end(), {half, std::nextafter(half, 1e9F), std::nextafter(half, -1e9F)});
  }
  for (const rgan::Rescale rescale :
       {rgan::Rescale{1, -1024}, {1, -1023}, {1, 0.5}, {1, 1e7}, {2, -1024}, {0.3, 7}, {-1, 0}}) {
    for (const rgan::StoredRange range : {rgan::StoredRange{0, 4095}, {0, 65535}}) {
      std::vector<std::uint16_t> stored(hu.size());
      const std::size_t count =
          rgan::hu_to_stored(hu.data(), hu.size(), rescale, range, stored.data());
      std::size_t wanted_count = 0;
      bool all_equal = true;
      for (std::size_t i = 0; i < hu.size(); ++i) {
        bool clamped = false;
        all_equal = all_equal && stored[i] == to_stored(hu[i], rescale, range, clamped);
        wanted_count += clamped ? 1 : 0;
      }
      check(all_equal);
      check(count == wanted_count);
    }
  }
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

void test_crc32c_of_known_texts() {
  const std::string digits = "123456789";
  Vector ascending(32);
  for (std::size_t i = 0; i < 32; ++i) ascending[i] = static_cast<std::uint8_t>(i);
  struct Case {
    Vector bytes;
    std::uint32_t wanted;
  };
  // The check value of the CRC catalogues, and RFC 3720, section B.4.
  const std::vector<Case> cases = {{{}, 0},
                                   {{digits.begin(), digits.end()}, 0xe3069283},
                                   {Vector(32, 0), 0x8a9136aa},
                                   {Vector(32, 0xff), 0x62a8ab43},
                                   {ascending, 0x46dd794e}};
  for (const Case& one : cases) {
    check(rgan::crc32c(one.bytes) == one.wanted);
    check(rgan::crc32c_by_tables(one.bytes) == one.wanted);
  }
}

void test_crc32c_is_the_same_in_every_way() {
  Vector content(20'000);
  std::uint32_t random = 1;
  for (std::uint8_t& byte : content) {
    random = (random * 1'664'525) + 1'013'904'223;
    byte = static_cast<std::uint8_t>(random >> 24);
  }
  bool all_equal = true;
  for (const std::size_t size : {0, 1, 7, 8, 9, 63, 2048, 6143, 6144, 6145, 12'289, 19'990}) {
    for (std::size_t start = 0; start < 9; ++start) {
      const rgan::Bytes bytes = rgan::Bytes(content).subspan(start, size);
      const std::uint32_t whole = rgan::crc32c_by_tables(bytes);
      const rgan::Bytes first = bytes.first(size / 3);
      const rgan::Bytes second = bytes.subspan(first.size());
      all_equal = all_equal && rgan::crc32c(bytes) == whole &&
                  rgan::crc32c(second, rgan::crc32c(first)) == whole &&
                  rgan::crc32c_by_tables(second, rgan::crc32c_by_tables(first)) == whole;
    }
  }
  check(all_equal);
}

void test_files_have_checksums_or_problems() {
  const std::filesystem::path path =
      std::filesystem::temp_directory_path() / ("rgan-" + std::to_string(::getpid()) + ".sum");
  std::ofstream(path, std::ios::binary) << "123456789";
  rgan::ThreadPool pool(2);
  const std::vector<rgan::FileChecksum> found =
      rgan::checksum_files({path.string(), path.string() + ".absent", "/"}, pool);
  std::filesystem::remove(path);
  check(found[0].status);
  check(found[0].crc32c == 0xe3069283);
  check(found[1].status.problem == rgan::Problem::cannot_open);
  check(found[2].status.problem == rgan::Problem::not_regular);
}

void test_a_file_that_changes_while_it_is_read() {
  const std::filesystem::path path =
      std::filesystem::temp_directory_path() / ("rgan-changed-" + std::to_string(::getpid()));
  std::ofstream(path) << "before";
  rgan::File file;
  rgan::Buffer buffer;
  rgan::Bytes bytes;
  check(file.open(path.string()));
  check(file.read(file.size(), buffer, bytes));
  std::ofstream(path) << "after!";  // in place, and of the same size
  std::filesystem::last_write_time(path, std::filesystem::file_time_type());
  check(file.read(file.size(), buffer, bytes).problem == rgan::Problem::changed);
  std::filesystem::remove(path);
}

void test_the_pool_does_each_once() {
  for (const int threads : {1, 2, 7}) {
    rgan::ThreadPool pool(threads);
    check(pool.threads() == threads);
    std::vector<std::atomic<int>> counts(1000);
    const auto use = [&] {
      for (int round = 0; round < 20; ++round) {
        pool.run(counts.size(), [&](std::size_t i) { ++counts[i]; });
      }
    };
    std::thread other(use);
    use();
    other.join();
    bool all_counted = true;
    for (const std::atomic<int>& count : counts) all_counted = all_counted && count == 40;
    check(all_counted);
    pool.run(0, [](std::size_t) {});
  }
}

void test_the_pool_outlives_work_that_throws() {
  for (const int threads : {1, 4}) {
    rgan::ThreadPool pool(threads);
    std::atomic<int> calls = 0;
    bool thrown = false;
    try {
      pool.run(100, [&](std::size_t i) {
        ++calls;
        if (i % 10 == 0) throw std::runtime_error("work failed");
      });
    } catch (const std::runtime_error&) {
      thrown = true;
    }
    check(thrown && calls == 100);
    pool.run(100, [&](std::size_t) { ++calls; });
    check(calls == 200);
  }
}

void test_exceptions_become_problems() {
  const auto problem_of = [](const auto& work) {
    try {
      work();
      return rgan::Problem::none;
    } catch (...) {
      return rgan::caught_problem();
    }
  };
  check(problem_of([] { throw std::bad_alloc(); }) == rgan::Problem::no_memory);
  check(problem_of([] { throw std::runtime_error("x"); }) == rgan::Problem::unexpected);
}

}  // namespace

int main() {
  test_rescale_is_exact();
  test_rounding_is_half_to_even_in_every_way();
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
  test_crc32c_of_known_texts();
  test_crc32c_is_the_same_in_every_way();
  test_files_have_checksums_or_problems();
  test_a_file_that_changes_while_it_is_read();
  test_the_pool_does_each_once();
  test_the_pool_outlives_work_that_throws();
  test_exceptions_become_problems();
  return report();
}
