// Tests of what is easier to show in C++ than through Python: arithmetic, checksums, files and
// threads.

#include <unistd.h>

#include <atomic>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <limits>
#include <new>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "check.hpp"
#include "rgan/checksum.hpp"
#include "rgan/crc32c.hpp"
#include "rgan/file.hpp"
#include "rgan/rescale.hpp"
#include "rgan/status.hpp"
#include "rgan/thread_pool.hpp"

namespace {

using Vector = std::vector<std::uint8_t>;

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
  test_crc32c_of_known_texts();
  test_crc32c_is_the_same_in_every_way();
  test_files_have_checksums_or_problems();
  test_a_file_that_changes_while_it_is_read();
  test_the_pool_does_each_once();
  test_the_pool_outlives_work_that_throws();
  test_exceptions_become_problems();
  return report();
}
