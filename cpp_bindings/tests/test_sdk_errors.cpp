// Each way in which the functions of rgan.h can fail, with a runtime that fails when it is told to.

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <utility>

#include "sdk.hpp"

namespace {

using sdk::Failing;
using sdk::says;
using stub::Call;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

void test_null_pointers() {
  const auto content = model_bytes::make();
  rgan_model* model = nullptr;
  const sdk::Model opened = sdk::open_model();
  rgan_card card = RGAN_CARD_INIT;
  check(rgan_model_open(nullptr, nullptr, &model) == RGAN_INVALID_ARGUMENT);
  check(rgan_model_open("model.onnx", nullptr, nullptr) == RGAN_INVALID_ARGUMENT);
  check(rgan_model_open_memory(nullptr, 1, nullptr, &model) == RGAN_INVALID_ARGUMENT);
  check(rgan_model_open_memory(content.data(), content.size(), nullptr, nullptr) ==
        RGAN_INVALID_ARGUMENT);
  check(rgan_model_card(nullptr, &card) == RGAN_INVALID_ARGUMENT);
  check(rgan_model_card(opened.get(), nullptr) == RGAN_INVALID_ARGUMENT);
  rgan_engine* engine = nullptr;
  check(rgan_engine_create(nullptr, nullptr, &engine) == RGAN_INVALID_ARGUMENT);
  check(rgan_engine_create(opened.get(), nullptr, nullptr) == RGAN_INVALID_ARGUMENT);
  check(rgan_stop_create(nullptr) == RGAN_INVALID_ARGUMENT);
  rgan_stop_request(nullptr);
  check(*rgan_model_card_json(nullptr) == '\0');
  check(*rgan_model_sha256(nullptr) == '\0');
  check(*rgan_engine_description(nullptr) == '\0');
  check(model == nullptr);
  check(engine == nullptr);
}

void test_structures_of_another_size() {
  const sdk::Model model = sdk::open_model();
  for (const std::size_t difference : {std::size_t{8}, std::size_t{0} - 8}) {
    rgan_card card = RGAN_CARD_INIT;
    card.size += difference;
    check(rgan_model_card(model.get(), &card) == RGAN_INVALID_ARGUMENT);
    check(says("sizeof(rgan_card)"));
    rgan_engine_options options = sdk::stub_options();
    options.size += difference;
    rgan_engine* engine = nullptr;
    check(rgan_engine_create(model.get(), &options, &engine) == RGAN_INVALID_ARGUMENT);
    check(says("sizeof(rgan_engine_options)"));
    const sdk::Engine right = sdk::create_engine(model.get());
    rgan_harmonize_options harmonize = RGAN_HARMONIZE_OPTIONS_INIT;
    harmonize.size += difference;
    std::vector<float> hu = sdk::make_hu(1);
    check(sdk::harmonize(right.get(), hu, hu, &harmonize) == RGAN_INVALID_ARGUMENT);
    check(says("sizeof(rgan_harmonize_options)"));
    check(hu == sdk::make_hu(1));
  }
}

void test_models_that_are_cut_or_changed() {
  const auto content = model_bytes::make();
  rgan_model* model = nullptr;
  for (std::size_t size = 0; size < content.size(); ++size) {
    const std::vector<std::uint8_t> cut(content.begin(),
                                        content.begin() + static_cast<std::ptrdiff_t>(size));
    const void* bytes = cut.empty() ? content.data() : cut.data();
    check(rgan_model_open_memory(bytes, size, nullptr, &model) == RGAN_MODEL_FORMAT);
    check(std::strlen(rgan_last_error()) > 0);
  }
  const std::string hash(64, '0');
  check(rgan_model_open_memory(content.data(), content.size(), hash.c_str(), &model) ==
        RGAN_MODEL_FORMAT);
  check(says("expected " + hash));
  check(rgan_model_open("/no/such/model.onnx", nullptr, &model) == RGAN_NOT_FOUND);
  check(says("/no/such/model.onnx"));
  check(rgan_model_open("/", nullptr, &model) == RGAN_NOT_FOUND);
  check(rgan_model_open("/dev/null", nullptr, &model) == RGAN_NOT_FOUND);
  check(model == nullptr);
}

// First of all tests, because a runtime that was loaded stays so.
void test_libraries_that_are_no_runtime() {
  const sdk::Model model = sdk::open_model();
  rgan_engine* engine = nullptr;
  rgan_engine_options options = sdk::stub_options();
  const auto expect = [&](const char* text) {
    check(rgan_engine_create(model.get(), &options, &engine) == RGAN_ENGINE_UNAVAILABLE);
    check(says(text));
    check(engine == nullptr);
  };
  {
    const Failing failing(Call::get_api);
    expect("too old; version 1.18");
  }
  const char* right = sdk::stub_runtime().version;
  for (const char* version : {"1.17.3", "0.99.0", "1", ""}) {
    sdk::stub_runtime().version = version;
    expect("too old; version 1.18");
  }
  sdk::stub_runtime().version = right;
  {
    const Failing failing(Call::create_env, "no threads are left");
    expect("cannot start: no threads are left");
  }
  options.runtime = "libm.so.6";
  expect("not ONNX Runtime");
  options.runtime = "/no/such/libonnxruntime.so";
  expect("/no/such/libonnxruntime.so");
  options.runtime = nullptr;
  ::setenv("RGAN_ONNXRUNTIME", "/also/absent.so", 1);  // NOLINT(concurrency-mt-unsafe)
  expect("/also/absent.so");
  ::setenv("RGAN_ONNXRUNTIME", RGAN_STUB_RUNTIME, 1);  // NOLINT(concurrency-mt-unsafe)
  check(rgan_engine_create(model.get(), &options, &engine) == RGAN_OK);
  check(std::string(rgan_engine_description(engine)).find("stub") != std::string::npos);
  rgan_engine_release(engine);
}

void test_options_that_make_no_sense() {
  const sdk::Model model = sdk::open_model();
  rgan_engine* engine = nullptr;
  const auto expect = [&](const rgan_engine_options& options, const char* text) {
    check(rgan_engine_create(model.get(), &options, &engine) == RGAN_INVALID_ARGUMENT);
    check(says(text));
  };
  rgan_engine_options options = sdk::stub_options();
  options.engine = "none";
  expect(options, "no such engine");
  options = sdk::stub_options();
  options.device = "none";
  expect(options, "no such device");
  options = sdk::stub_options();
  options.threads = -1;
  expect(options, "threads must not be negative");
  options.threads = 1025;
  expect(options, "threads must be at most 1024");
  options = sdk::stub_options();
  options.device = "cuda";
  check(rgan_engine_create(model.get(), &options, &engine) == RGAN_ENGINE_UNAVAILABLE);
  check(says("built without CUDA"));
  check(engine == nullptr);
}

void test_a_session_that_cannot_be_opened() {
  const sdk::Model model = sdk::open_model();
  const rgan_engine_options options = sdk::stub_options();
  const auto expect = [&](Call call, const char* message, rgan_status wanted) {
    const Failing failing(call, message);
    rgan_engine* engine = nullptr;
    check(rgan_engine_create(model.get(), &options, &engine) == wanted);
    check(says(message));
    check(engine == nullptr);
  };
  for (const Call call :
       {Call::create_session_options, Call::set_log_severity, Call::set_optimization_level,
        Call::set_intra_op_threads, Call::add_session_config_entry, Call::create_session,
        Call::create_cpu_memory_info}) {
    expect(call, "this graph is too new", RGAN_ENGINE_UNAVAILABLE);
  }
  for (const char* message : {"std::bad_alloc", "Failed to allocate memory for requested buffer"}) {
    expect(Call::create_session, message, RGAN_OUT_OF_MEMORY);
  }
}

void test_a_session_that_cannot_be_opened_later() {
  const sdk::Model model = sdk::open_model();
  const sdk::Engine engine = sdk::create_engine(model.get());
  const Failing failing(Call::create_session, "this graph is too new");
  std::vector<float> hu = sdk::make_hu(1);
  check(sdk::harmonize(engine.get(), hu, hu, nullptr, 0.875) == RGAN_INFERENCE);
  check(says("this graph is too new"));
}

void test_no_slices() {
  const sdk::Model model = sdk::open_model();
  const sdk::Engine engine = sdk::create_engine(model.get());
  check(rgan_harmonize(engine.get(), nullptr, 0, 6, 5, sdk::kSpacing, nullptr, nullptr) == RGAN_OK);
}

void test_members_for_later_versions() {
  const sdk::Model model = sdk::open_model();
  const sdk::Engine engine = sdk::create_engine(model.get());
  rgan_harmonize_options options = RGAN_HARMONIZE_OPTIONS_INIT;
  options.reserved = 1;
  std::vector<float> hu = sdk::make_hu(1);
  check(sdk::harmonize(engine.get(), hu, hu, &options) == RGAN_INVALID_ARGUMENT);
  check(says("reserved must be 0"));
}

void test_images_that_make_no_sense() {
  const sdk::Model model = sdk::open_model();
  const sdk::Engine engine = sdk::create_engine(model.get());
  std::vector<float> hu = sdk::make_hu(2);
  const float* in = hu.data();
  float* out = hu.data();
  const auto expect_invalid = [&](rgan_engine* used, const float* from, std::size_t slices,
                                  std::size_t rows, std::size_t columns, double spacing,
                                  float* to) {
    check(rgan_harmonize(used, from, slices, rows, columns, spacing, to, nullptr) ==
          RGAN_INVALID_ARGUMENT);
  };
  const std::size_t huge = std::numeric_limits<std::size_t>::max();
  expect_invalid(nullptr, in, 1, 6, 5, sdk::kSpacing, out);
  expect_invalid(engine.get(), nullptr, 1, 6, 5, sdk::kSpacing, out);
  expect_invalid(engine.get(), in, 1, 6, 5, sdk::kSpacing, nullptr);
  expect_invalid(engine.get(), in, 1, 0, 5, sdk::kSpacing, out);
  expect_invalid(engine.get(), in, 1, 6, 0, sdk::kSpacing, out);
  expect_invalid(engine.get(), in, 1, huge, huge, sdk::kSpacing, out);
  expect_invalid(engine.get(), in, huge, 6, 5, sdk::kSpacing, out);
  expect_invalid(engine.get(), in, 1, 6, 5, sdk::kSpacing, out + 1);
  for (const double spacing : {kNan, 0.0, -0.7, 1e300, 1e-300}) {
    expect_invalid(engine.get(), in, 1, 6, 5, spacing, out);
  }
  check(sdk::harmonize(engine.get(), hu, hu, nullptr, 3.0) == RGAN_OUTSIDE_DOMAIN);
  check(says("from 0.5 to 1 mm, not for 3 mm"));
  check(hu == sdk::make_hu(2));
}

void test_format_1_states_no_spacing() {
  const sdk::Model model = sdk::open_model(1);
  const sdk::Engine engine = sdk::create_engine(model.get());
  std::vector<float> hu = sdk::make_hu(1);
  check(sdk::harmonize(engine.get(), hu, hu) == RGAN_OUTSIDE_DOMAIN);
  rgan_harmonize_options options = RGAN_HARMONIZE_OPTIONS_INIT;
  options.any_spacing = 1;
  check(sdk::harmonize(engine.get(), hu, hu, &options) == RGAN_OK);
}

// The first slice is done, and the second is as it was.
void expect_second_fails(rgan_engine* engine, rgan_status wanted, const char* text) {
  std::vector<float> hu = sdk::make_hu(2);
  std::vector<float> expected = sdk::shift(hu);
  std::copy(hu.begin() + sdk::kPixels, hu.end(), expected.begin() + sdk::kPixels);
  check(sdk::harmonize(engine, hu, hu) == wanted);
  check(says(text));
  check(hu == expected);
}

void test_a_run_that_fails() {
  const sdk::Model model = sdk::open_model();
  const sdk::Engine engine = sdk::create_engine(model.get());
  for (const Call call : {Call::run, Call::create_run_options}) {
    const Failing failing(call, "a node failed", 1, 1);
    expect_second_fails(engine.get(), RGAN_INFERENCE, "a node failed");
  }
  for (const int calls_before : {0, 1}) {
    const Failing failing(Call::create_tensor, "no such shape", 1, calls_before);
    std::vector<float> hu = sdk::make_hu(1);
    check(sdk::harmonize(engine.get(), hu, hu) == RGAN_INFERENCE);
    check(says("no such shape"));
    check(hu == sdk::make_hu(1));
  }
  for (const char* message : {"", "no reason"}) {
    const Failing failing(Call::run, message, 1, 1);
    expect_second_fails(engine.get(), RGAN_INFERENCE, "ONNX Runtime failed: ");
  }
}

void test_an_output_that_is_no_image() {
  const sdk::Model model = sdk::open_model();
  const sdk::Engine engine = sdk::create_engine(model.get());
  std::vector<float> hu = sdk::make_hu(1);
  sdk::stub_runtime().output = stub::Output::nan;
  check(sdk::harmonize(engine.get(), hu, hu) == RGAN_INFERENCE);
  check(says("slice 0: the output holds NaN"));
  sdk::stub_runtime().output = stub::Output::constant;
  check(sdk::harmonize(engine.get(), hu, hu) == RGAN_INFERENCE);
  check(says("slice 0: the output is constant"));
  sdk::stub_runtime().output = stub::Output::shifted;
  check(hu == sdk::make_hu(1));
  hu[3] = std::nanf("");
  check(sdk::harmonize(engine.get(), hu, hu) == RGAN_INFERENCE);
  check(says("slice 0: the input holds NaN"));
}

// Sessions for other pixel spacings let their memory go, and the slice is tried once more.
void test_a_runtime_without_memory_is_tried_again() {
  const sdk::Model model = sdk::open_model();
  for (const Call call : {Call::run, Call::create_session}) {
    const sdk::Engine engine = sdk::create_engine(model.get());
    std::vector<float> hu = sdk::make_hu(1);
    check(sdk::harmonize(engine.get(), hu, hu, nullptr, 0.5) == RGAN_OK);
    check(sdk::stub_runtime().sessions == 2);
    const Failing failing(call, "std::bad_alloc");
    std::vector<float> out = hu;
    check(sdk::harmonize(engine.get(), hu, out, nullptr, 0.875) == RGAN_OK);
    check(out == sdk::shift(hu, 0.875));
    check(sdk::stub_runtime().sessions == 1);
  }
}

void test_a_lack_of_memory_is_logged() {
  const sdk::Model model = sdk::open_model();
  const sdk::Engine engine = sdk::create_engine(model.get());
  std::string said;
  const rgan_log append = [](rgan_log_level, const char* text, void* user) {
    *static_cast<std::string*>(user) += text;
  };
  rgan_set_log(append, &said, RGAN_LOG_WARNING);
  {
    const Failing failing(Call::run, "Failed to allocate memory");
    std::vector<float> hu = sdk::make_hu(1);
    check(sdk::harmonize(engine.get(), hu, hu) == RGAN_OK);
  }
  rgan_set_log(nullptr, nullptr, RGAN_LOG_WARNING);
  check(said.find("memory is short") != std::string::npos);
}

void test_a_runtime_that_never_has_memory() {
  const sdk::Model model = sdk::open_model();
  const sdk::Engine engine = sdk::create_engine(model.get());
  {
    const Failing failing(Call::run, "Failed to allocate memory", 2, 1);
    expect_second_fails(engine.get(), RGAN_OUT_OF_MEMORY, "Failed to allocate memory");
  }
  {
    const Failing failing(Call::create_session, "std::bad_alloc", 2);
    std::vector<float> hu = sdk::make_hu(1);
    check(sdk::harmonize(engine.get(), hu, hu, nullptr, 0.5) == RGAN_OUT_OF_MEMORY);
    check(hu == sdk::make_hu(1));
  }
  std::vector<float> hu = sdk::make_hu(1);
  check(sdk::harmonize(engine.get(), hu, hu) == RGAN_OK);
  check(hu == sdk::shift(sdk::make_hu(1)));
}

void test_stopping_by_progress() {
  const sdk::Model model = sdk::open_model();
  const sdk::Engine engine = sdk::create_engine(model.get());
  const std::vector<float> hu = sdk::make_hu(3);
  std::vector<float> out(hu.size(), 7);
  int calls = 0;
  rgan_harmonize_options options = RGAN_HARMONIZE_OPTIONS_INIT;
  options.user = &calls;
  options.progress = [](std::size_t done, std::size_t slices, void* user) {
    check(slices == 3);
    check(std::cmp_equal(done, ++*static_cast<int*>(user)));
    return done < 2 ? 1 : 0;
  };
  check(sdk::harmonize(engine.get(), hu, out, &options) == RGAN_CANCELLED);
  check(says("progress"));
  check(calls == 2);
  std::vector<float> expected = sdk::shift(hu);
  std::fill(expected.begin() + (2 * sdk::kPixels), expected.end(), 7.0F);
  check(out == expected);
}

void test_stopping_before_and_after() {
  const sdk::Model model = sdk::open_model();
  const sdk::Engine engine = sdk::create_engine(model.get());
  const sdk::Stop stop = sdk::create_stop();
  rgan_harmonize_options options = RGAN_HARMONIZE_OPTIONS_INIT;
  options.stop = stop.get();
  std::vector<float> hu = sdk::make_hu(2);
  check(sdk::harmonize(engine.get(), hu, hu, &options) == RGAN_OK);
  check(hu == sdk::shift(sdk::make_hu(2)));
  rgan_stop_request(stop.get());
  rgan_stop_request(stop.get());
  std::vector<float> again = sdk::make_hu(2);
  check(sdk::harmonize(engine.get(), again, again, &options) == RGAN_CANCELLED);
  check(again == sdk::make_hu(2));
}

void test_nothing_of_the_runtime_is_left() {
  check(sdk::stub_runtime().sessions == 0);
  check(sdk::stub_runtime().other_objects == 0);
}

}  // namespace

int main() {
  test_null_pointers();
  test_libraries_that_are_no_runtime();
  test_structures_of_another_size();
  test_models_that_are_cut_or_changed();
  test_options_that_make_no_sense();
  test_a_session_that_cannot_be_opened();
  test_a_session_that_cannot_be_opened_later();
  test_no_slices();
  test_members_for_later_versions();
  test_images_that_make_no_sense();
  test_format_1_states_no_spacing();
  test_a_run_that_fails();
  test_an_output_that_is_no_image();
  test_a_runtime_without_memory_is_tried_again();
  test_a_lack_of_memory_is_logged();
  test_a_runtime_that_never_has_memory();
  test_stopping_by_progress();
  test_stopping_before_and_after();
  test_nothing_of_the_runtime_is_left();
  return report();
}
