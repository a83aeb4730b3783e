// What rgan.h says of threads. Made to be run with ThreadSanitizer, and true without it.

#include <atomic>
#include <chrono>
#include <functional>
#include <string>
#include <thread>

#include "sdk.hpp"

namespace {

constexpr int kThreads = 4;
constexpr int kRounds = 50;

// Call `work` with the number of each thread, at the same time.
void in_threads(const std::function<void(int)>& work) {
  std::vector<std::jthread> threads;
  threads.reserve(kThreads);
  for (int number = 0; number < kThreads; ++number) threads.emplace_back(work, number);
}

// Wait until the stub is in so many calls of run.
void wait_until_running(int count) {
  const auto latest = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (sdk::stub_runtime().running < count) {
    if (std::chrono::steady_clock::now() > latest) {
      std::fputs("the call does not begin\n", stderr);
      std::abort();
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

// One of the spacings that the card allows; there are more than sessions are kept for.
double spacing_of(int number) { return 0.5 + (number % 7 * 0.0625); }

// Not of the test's own: `check` counts without a lock.
std::atomic<int> wrong{0};

void expect(bool condition) {
  if (!condition) ++wrong;
}

void harmonize_many(rgan_engine* engine, int number) {
  const std::vector<float> hu = sdk::make_hu(2);
  std::vector<float> out(hu.size());
  for (int round = 0; round < kRounds; ++round) {
    const double spacing = spacing_of(number + round);
    expect(sdk::harmonize(engine, hu, out, nullptr, spacing) == RGAN_OK);
    expect(out == sdk::shift(hu, spacing));
  }
}

void test_threads_share_a_model() {
  const sdk::Model model = sdk::open_model();
  in_threads([&](int number) {
    rgan_card card = RGAN_CARD_INIT;
    expect(rgan_model_card(model.get(), &card) == RGAN_OK);
    expect(std::string(card.name) == "stub");
    expect(std::string(rgan_model_sha256(model.get())).size() == 64);
    const sdk::Engine engine = sdk::create_engine(model.get());
    harmonize_many(engine.get(), number);
  });
}

void test_threads_share_an_engine() {
  const sdk::Model model = sdk::open_model();
  const sdk::Engine engine = sdk::create_engine(model.get());
  in_threads([&](int number) { harmonize_many(engine.get(), number); });
}

void test_threads_open_models() {
  in_threads([](int number) {
    const sdk::Model model = sdk::open_model();
    const sdk::Engine engine = sdk::create_engine(model.get());
    harmonize_many(engine.get(), number);
  });
}

void test_the_model_goes_while_its_engine_works() {
  sdk::Model model = sdk::open_model();
  const sdk::Engine engine = sdk::create_engine(model.get());
  const std::jthread other([&] { harmonize_many(engine.get(), 0); });
  model.reset();
}

// Runs calls that end when they are stopped, and stops them.
void stop_while_running(const std::vector<rgan_engine*>& engines, int running) {
  const sdk::Stop stop = sdk::create_stop();
  rgan_harmonize_options options = RGAN_HARMONIZE_OPTIONS_INIT;
  options.stop = stop.get();
  sdk::stub_runtime().runs_until_terminated = true;
  {
    std::vector<std::jthread> threads;
    threads.reserve(engines.size());
    for (rgan_engine* engine : engines) {
      threads.emplace_back([&options, engine] {
        std::vector<float> hu = sdk::make_hu(2);
        expect(sdk::harmonize(engine, hu, hu, &options) == RGAN_CANCELLED);
        expect(sdk::says("stopped, as the caller asked"));
        expect(hu == sdk::make_hu(2));
      });
    }
    wait_until_running(running);
    rgan_stop_request(stop.get());
  }
  sdk::stub_runtime().runs_until_terminated = false;
}

void test_stopping_from_another_thread() {
  const sdk::Model model = sdk::open_model();
  const sdk::Engine engine = sdk::create_engine(model.get());
  const sdk::Engine other = sdk::create_engine(model.get());
  stop_while_running({engine.get()}, 1);
  stop_while_running({engine.get(), engine.get()}, 1);
  stop_while_running({engine.get(), other.get()}, 2);
  harmonize_many(engine.get(), 0);
}

// A call that waits for another call on its engine stops as soon as one that runs.
void test_stopping_a_call_that_waits() {
  const sdk::Model model = sdk::open_model();
  const sdk::Engine engine = sdk::create_engine(model.get());
  const sdk::Stop first = sdk::create_stop();
  const sdk::Stop second = sdk::create_stop();
  sdk::stub_runtime().runs_until_terminated = true;
  {
    const auto run = [&](rgan_stop* stop) {
      rgan_harmonize_options options = RGAN_HARMONIZE_OPTIONS_INIT;
      options.stop = stop;
      std::vector<float> hu = sdk::make_hu(1);
      expect(sdk::harmonize(engine.get(), hu, hu, &options) == RGAN_CANCELLED);
    };
    const std::jthread running(run, first.get());
    wait_until_running(1);
    std::jthread waiting(run, second.get());
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    rgan_stop_request(second.get());
    waiting.join();  // while the other one runs
    expect(sdk::stub_runtime().running == 1);
    rgan_stop_request(first.get());
  }
  sdk::stub_runtime().runs_until_terminated = false;
}

// Stops at any moment: before a call, in it, after it.
void test_stopping_at_any_moment() {
  const sdk::Model model = sdk::open_model();
  const sdk::Engine engine = sdk::create_engine(model.get());
  for (int round = 0; round < kRounds; ++round) {
    const sdk::Stop stop = sdk::create_stop();
    const std::jthread other([&] { rgan_stop_request(stop.get()); });
    rgan_harmonize_options options = RGAN_HARMONIZE_OPTIONS_INIT;
    options.stop = stop.get();
    std::vector<float> hu = sdk::make_hu(1);
    const rgan_status status = sdk::harmonize(engine.get(), hu, hu, &options);
    expect(status == RGAN_OK || status == RGAN_CANCELLED);
    expect(hu == (status == RGAN_OK ? sdk::shift(sdk::make_hu(1)) : sdk::make_hu(1)));
  }
}

void test_errors_belong_to_their_thread() {
  in_threads([](int number) {
    expect(*rgan_last_error() == '\0');
    const std::string path = "/no/such/model-" + std::to_string(number) + ".onnx";
    rgan_model* model = nullptr;
    for (int round = 0; round < kRounds; ++round) {
      expect(rgan_model_open(path.c_str(), nullptr, &model) == RGAN_NOT_FOUND);
      expect(sdk::says(path));
    }
  });
}

// The log is set and taken away while engines are created and work.
void test_the_log_comes_and_goes() {
  std::atomic<int> lines{0};
  const rgan_log count = [](rgan_log_level, const char* text, void* user) {
    expect(*text != '\0');
    ++*static_cast<std::atomic<int>*>(user);
  };
  const sdk::Model model = sdk::open_model();
  {
    std::atomic<int> working = kThreads;
    const std::jthread other([&] {
      while (working > 0) {
        rgan_set_log(count, &lines, RGAN_LOG_DEBUG);
        rgan_set_log(nullptr, nullptr, RGAN_LOG_DEBUG);
      }
    });
    in_threads([&](int number) {
      harmonize_many(sdk::create_engine(model.get()).get(), number);
      --working;
    });
  }
  const int before = lines;
  rgan_set_log(count, &lines, RGAN_LOG_DEBUG);
  harmonize_many(sdk::create_engine(model.get()).get(), 0);
  rgan_set_log(nullptr, nullptr, RGAN_LOG_DEBUG);
  expect(lines > before);
}

}  // namespace

int main() {
  test_threads_open_models();
  test_threads_share_a_model();
  test_threads_share_an_engine();
  test_the_model_goes_while_its_engine_works();
  test_stopping_from_another_thread();
  test_stopping_a_call_that_waits();
  test_stopping_at_any_moment();
  test_errors_belong_to_their_thread();
  test_the_log_comes_and_goes();
  check(wrong == 0);
  check(sdk::stub_runtime().sessions == 0);
  check(sdk::stub_runtime().other_objects == 0);
  return report();
}
