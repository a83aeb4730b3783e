// Each allocation of librgan fails once: the call says so, leaks nothing, and works afterwards. A
// slice is tried once more, so that most calls that harmonize succeed all the same. And functions
// that read files hold no more memory than they need.

#include <malloc.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <new>

#include "dicom_bytes.hpp"
#include "sdk.hpp"

namespace {

// Allocations of this thread that succeed before one fails; negative: all succeed.
thread_local int allocations_left = -1;

// Bytes of all threads.
std::atomic<std::size_t> held = 0;
std::atomic<std::size_t> most_held = 0;

void* count(void* memory) {
  const std::size_t now = held += ::malloc_usable_size(memory);
  std::size_t most = most_held;
  while (now > most && !most_held.compare_exchange_weak(most, now)) {
  }
  return memory;
}

void release(void* memory) {
  held -= ::malloc_usable_size(memory);
  std::free(memory);  // NOLINT
}

void* allocate(std::size_t size) {
  if (allocations_left == 0) {
    allocations_left = -1;
    throw std::bad_alloc();
  }
  if (allocations_left > 0) --allocations_left;
  if (void* memory = std::malloc(size == 0 ? 1 : size)) return count(memory);  // NOLINT
  throw std::bad_alloc();
}

}  // namespace

void* operator new(std::size_t size) { return allocate(size); }
void* operator new[](std::size_t size) { return allocate(size); }
void operator delete(void* memory) noexcept { release(memory); }
void operator delete[](void* memory) noexcept { release(memory); }
void operator delete(void* memory, std::size_t /*size*/) noexcept { release(memory); }
void operator delete[](void* memory, std::size_t /*size*/) noexcept { release(memory); }

namespace {

// Call `work` until no allocation of it fails. `work` returns the status of one call. Return how
// many calls succeeded though an allocation failed.
template <typename Work>
int fail_each_allocation(const Work& work) {
  int recovered = 0;
  int failed = 0;
  for (bool is_done = false; !is_done; ++failed) {
    allocations_left = failed;
    const rgan_status status = work();
    is_done = allocations_left >= 0;
    allocations_left = -1;
    check(status == RGAN_OK || (!is_done && status == RGAN_OUT_OF_MEMORY));
    if (!is_done && status == RGAN_OK) ++recovered;
    if (failed > 10'000) break;
  }
  check(failed > 1);
  check(failed < 10'000);
  return recovered;
}

void test_opening_a_model() {
  const auto content = model_bytes::make();
  const int recovered = fail_each_allocation([&] {
    rgan_model* model = nullptr;
    const rgan_status status =
        rgan_model_open_memory(content.data(), content.size(), nullptr, &model);
    check((model != nullptr) == (status == RGAN_OK));
    rgan_model_release(model);
    return status;
  });
  check(recovered == 0);
}

void test_creating_an_engine() {
  const sdk::Model model = sdk::open_model();
  const rgan_engine_options options = sdk::stub_options();
  const int recovered = fail_each_allocation([&] {
    rgan_engine* engine = nullptr;
    const rgan_status status = rgan_engine_create(model.get(), &options, &engine);
    check((engine != nullptr) == (status == RGAN_OK));
    rgan_engine_release(engine);
    return status;
  });
  check(recovered == 0);
}

// With a new engine for each call, which has no memory of its own yet.
void test_harmonizing() {
  const sdk::Model model = sdk::open_model();
  const std::vector<float> hu = sdk::make_hu(2);
  const sdk::Stop stop = sdk::create_stop();
  rgan_harmonize_options options = RGAN_HARMONIZE_OPTIONS_INIT;
  options.stop = stop.get();
  options.progress = [](std::size_t, std::size_t, void*) { return 1; };
  std::vector<float> out = hu;
  const int recovered = fail_each_allocation([&] {
    const int left = allocations_left;
    allocations_left = -1;
    const sdk::Engine engine = sdk::create_engine(model.get());
    allocations_left = left;
    return sdk::harmonize(engine.get(), hu, out, &options);
  });
  check(recovered > 1);
  check(out == sdk::shift(hu));
}

void test_creating_a_stop() {
  const int recovered = fail_each_allocation([] {
    rgan_stop* stop = nullptr;
    const rgan_status status = rgan_stop_create(&stop);
    check((stop != nullptr) == (status == RGAN_OK));
    rgan_stop_release(stop);
    return status;
  });
  check(recovered == 0);
}

// What the runtime says is kept in memory too.
void test_an_error_of_the_runtime() {
  const sdk::Model model = sdk::open_model();
  const sdk::Engine engine = sdk::create_engine(model.get());
  std::vector<float> hu = sdk::make_hu(1);
  check(sdk::harmonize(engine.get(), hu, hu) == RGAN_OK);
  for (int failed = 0; failed < 20; ++failed) {
    const sdk::Failing failing(stub::Call::run, "a message of more bytes than a text keeps inside",
                               2);  // it may be tried twice
    allocations_left = failed;
    const rgan_status status = sdk::harmonize(engine.get(), hu, hu);
    const bool was_enough = allocations_left >= 0;
    allocations_left = -1;
    check(status == RGAN_INFERENCE || (!was_enough && status == RGAN_OUT_OF_MEMORY));
  }
}

constexpr std::size_t kMiB = std::size_t{1} << 20;

// A file that is removed again.
class File {
 public:
  explicit File(const bytes::Vector& content) {
    std::ofstream(path_, std::ios::binary)
        .write(reinterpret_cast<const char*>(content.data()), std::ssize(content));
  }
  ~File() { std::filesystem::remove(path_); }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  File(File&&) = delete;
  File& operator=(File&&) = delete;

  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_ = std::filesystem::temp_directory_path() /
                      ("rgan-memory-" + std::to_string(::getpid()) + ".dcm");
};

// A slice of 4x4 pixels behind a private element of that many bytes.
bytes::Vector make_slice_behind(std::size_t size) {
  bytes::Vector extra;
  bytes::long_header(extra, 0x00210010, "OB", static_cast<std::uint32_t>(size));
  extra.resize(extra.size() + size);
  return bytes::slice(extra);
}

// Return how many bytes more than before were held at some time during the call.
template <typename Call>
std::size_t measure(const Call& call) {
  const std::size_t before = held;
  most_held = before;
  call();
  return most_held - before;
}

void scan(const File& file, rgan_status wanted) {
  const char* path = file.path().c_str();
  rgan_headers* headers = nullptr;
  check(rgan_scan(&path, 1, 1, &headers) == RGAN_OK);
  rgan_slice_header header = RGAN_SLICE_HEADER_INIT;
  check(rgan_headers_get(headers, 0, &header) == wanted);
  rgan_headers_release(headers);
}

void read(const File& file, std::size_t times) {
  const std::vector<const char*> paths(times, file.path().c_str());
  std::vector<float> hu(times * 16);
  rgan_batch* batch = nullptr;
  check(rgan_read_batch(paths.data(), nullptr, times, 4, 4, hu.data(), 1, &batch) == RGAN_OK);
  check(rgan_batch_status(batch, times - 1) == RGAN_OK);
  rgan_batch_release(batch);
}

void test_a_batch_holds_one_file_at_a_time() {
  const File file(make_slice_behind(kMiB));
  check(measure([&] { read(file, 50); }) < 10 * kMiB);
}

void test_a_thread_keeps_little_of_what_a_large_file_took() {
  const File file(make_slice_behind(40 * kMiB));
  const std::size_t before = held;
  scan(file, RGAN_OK);
  check(held < before + (20 * kMiB));
  read(file, 1);
  check(held < before + (20 * kMiB));
}

// No more of the file could complete the header.
void test_little_is_read_of_a_file_that_is_cut() {
  bytes::Vector content = bytes::slice_head("1.2.840.10008.1.2.1");
  bytes::long_header(content, 0x7fe00010, "OW", 100 * kMiB);
  const File file(content);
  std::filesystem::resize_file(file.path(), 50 * kMiB);
  check(measure([&] { scan(file, RGAN_SLICE_FORMAT); }) < kMiB);
}

}  // namespace

int main() {
  test_opening_a_model();
  test_creating_an_engine();
  test_harmonizing();
  test_creating_a_stop();
  test_an_error_of_the_runtime();
  test_a_batch_holds_one_file_at_a_time();
  test_a_thread_keeps_little_of_what_a_large_file_took();
  test_little_is_read_of_a_file_that_is_cut();
  check(sdk::stub_runtime().sessions == 0);
  check(sdk::stub_runtime().other_objects == 0);
  return report();
}
