// What is easier shown in C++ than through Python: limits, and what goes wrong byte by byte.

#include <atomic>
#include <cmath>
#include <limits>
#include <string>
#include <thread>
#include <vector>

#include "check.hpp"
#include "dicom_bytes.hpp"
#include "rgan/pixels.hpp"
#include "rgan/rle.hpp"
#include "rgan/slice_header.hpp"
#include "rgan/splice.hpp"
#include "rgan/thread_pool.hpp"

namespace {

using bytes::Vector;

rgan::Verdict parse(const Vector& file) {
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
      const double wanted = static_cast<double>(stored[i]) * rescale.slope + rescale.intercept;
      all_equal = all_equal && hu[i] == static_cast<float>(wanted);
    }
    CHECK(all_equal);
    std::vector<std::int16_t> back(stored.size());
    const std::size_t clamped = rgan::hu_to_stored(hu.data(), hu.size(), rescale,
                                                   rgan::StoredRange{-32768, 32767}, back.data());
    CHECK(clamped == 0);
    CHECK(back == stored);
  }
}

// What hu_to_stored promises, one value at a time and in double precision.
std::uint16_t to_stored(float hu, rgan::Rescale rescale, rgan::StoredRange range, bool& clamped) {
  const double value =
      std::nearbyint((static_cast<double>(hu) - rescale.intercept) / rescale.slope);
  clamped = !(value >= range.minimum && value <= range.maximum);
  if (!clamped) return static_cast<std::uint16_t>(value);
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
      CHECK(all_equal);
      CHECK(count == wanted_count);
    }
  }
}

void test_a_plain_slice() {
  const Vector file = bytes::slice();
  rgan::SliceHeader header;
  CHECK(rgan::parse_slice_header(file, file.size(), header));
  CHECK(header.sop_instance_uid == "1.2.3.4");
  CHECK(header.position[2] == 1.5);
  std::vector<float> hu(16);
  std::vector<std::uint8_t> kept;
  std::vector<std::uint8_t> scratch;
  rgan::PixelNotes notes;
  CHECK(rgan::decode_pixels(file, header, hu.data(), kept, scratch, notes));
  CHECK(hu[3] == 300 - 1024);
  CHECK(kept.empty() && notes.behind == file.size());
}

void test_every_shorter_file_is_handed_back() {
  const Vector file = bytes::slice();
  bool all_refused = true;
  for (std::size_t size = 0; size < file.size(); ++size) {
    all_refused = all_refused &&
                  !parse(Vector(file.begin(), file.begin() + static_cast<std::ptrdiff_t>(size)));
  }
  CHECK(all_refused);
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
    const rgan::Verdict verdict = parse(bytes::slice(extra));
    CHECK(verdict.problem ==
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
  CHECK(parse(bytes::slice(extra)).problem == rgan::Problem::too_many_elements);
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
    const rgan::Verdict verdict = parse(bytes::slice(extra));
    CHECK(verdict.problem == one.problem);
    CHECK(verdict || verdict.tag == one.tag);
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
  CHECK(rgan::decode_rle(rle_frame(high, low), 2, cells));
  CHECK((cells == std::vector<std::uint8_t>{10, 1, 11, 1, 7, 1, 7, 1}));
  const std::vector<Vector> broken = {
      {},              // nothing
      {1, 10, 11},     // too few
      {1, 10},         // a literal run beyond the end
      {255},           // a replicated byte that is not there
      {252, 7},        // one too many
      {253, 7, 0, 0},  // more than a byte behind
  };
  for (const Vector& segment : broken) CHECK(!rgan::decode_rle(rle_frame(high, segment), 2, cells));
  CHECK(rgan::decode_rle(rle_frame(high, {253, 7, 0}), 2, cells));
  Vector frame = rle_frame(high, low);
  frame[4] = 63;  // a segment inside the header
  CHECK(!rgan::decode_rle(frame, 2, cells));
  CHECK(!rgan::decode_rle(Vector(10), 2, cells));
}

void test_splicing() {
  Vector extra;
  bytes::element(extra, 0x00210010, "LO", "PRIVATE ");
  bytes::element(extra, 0x00280002, 1);
  const Vector file = bytes::slice(extra);
  rgan::PixelHeader header;
  CHECK(rgan::parse_pixel_header(file, file.size(), header));
  rgan::SplicePlan plan;
  Vector description;
  bytes::element(description, 0x0008103e, "LO", "new ");
  plan.elements.push_back({0x0008103e, description});
  plan.removed = {0x00200032};
  plan.dependencies = rgan::find_dependencies(file, header, {0x00281053, 0x00080070});
  std::vector<std::uint8_t> out;
  CHECK(rgan::splice_header(file, header, plan, {}, out));
  Vector wanted(file.begin() + static_cast<std::ptrdiff_t>(header.data_set),
                file.begin() + static_cast<std::ptrdiff_t>(header.pixel_data.start));
  CHECK(out.size() == wanted.size() + description.size() - (8 + 8) - (8 + 8));
  plan.dependencies[0].value = Vector{'x'};
  CHECK(rgan::splice_header(file, header, plan, {}, out).problem == rgan::Problem::header_differs);
}

void test_the_pool_does_each_once() {
  for (const int threads : {1, 2, 7}) {
    rgan::ThreadPool pool(threads);
    CHECK(pool.threads() == threads);
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
    CHECK(all_counted);
    pool.run(0, [](std::size_t) {});
  }
}

}  // namespace

int main() {
  test_rescale_is_exact();
  test_rounding_is_half_to_even_in_every_way();
  test_a_plain_slice();
  test_every_shorter_file_is_handed_back();
  test_nesting_is_bounded();
  test_elements_are_counted();
  test_unusual_values_are_named();
  test_rle();
  test_splicing();
  test_the_pool_does_each_once();
  if (check::failures == 0) std::puts("all passed");
  return check::failures == 0 ? 0 : 1;
}
