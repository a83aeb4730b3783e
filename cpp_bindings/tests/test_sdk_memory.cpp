// Each allocation of librgan fails once: the call says so, leaks nothing, and works afterwards. A
// slice is tried once more, so that most calls that harmonize succeed all the same.

#include <cstdlib>
#include <new>

#include "sdk.hpp"

namespace {

// Allocations of this thread that succeed before one fails; negative: all succeed.
thread_local int allocations_left = -1;

void* allocate(std::size_t size) {
  if (allocations_left == 0) {
    allocations_left = -1;
    throw std::bad_alloc();
  }
  if (allocations_left > 0) --allocations_left;
  if (void* memory = std::malloc(size == 0 ? 1 : size)) return memory;  // NOLINT
  throw std::bad_alloc();
}

}  // namespace

void* operator new(std::size_t size) { return allocate(size); }
void* operator new[](std::size_t size) { return allocate(size); }
void operator delete(void* memory) noexcept { std::free(memory); }                        // NOLINT
void operator delete[](void* memory) noexcept { std::free(memory); }                      // NOLINT
void operator delete(void* memory, std::size_t /*size*/) noexcept { std::free(memory); }  // NOLINT
void operator delete[](void* memory, std::size_t /*size*/) noexcept {
  std::free(memory);
}  // NOLINT

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

}  // namespace

int main() {
  test_opening_a_model();
  test_creating_an_engine();
  test_harmonizing();
  test_creating_a_stop();
  test_an_error_of_the_runtime();
  check(sdk::stub_runtime().sessions == 0);
  check(sdk::stub_runtime().other_objects == 0);
  return report();
}
