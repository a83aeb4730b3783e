// Which status a failure has where several could be meant, and which text.

#include <cstddef>
#include <limits>
#include <string>

#include "sdk.hpp"

namespace {

using sdk::Failing;
using sdk::says;
using stub::Call;

constexpr const char* kNoMemory = "Failed to allocate memory for requested buffer";

void test_a_model_of_too_many_bytes() {
  const auto content = model_bytes::make();
  rgan_model* model = nullptr;
  for (const std::size_t size :
       {(std::size_t{1} << 30) + 1, std::numeric_limits<std::size_t>::max()}) {
    check(rgan_model_open_memory(content.data(), size, nullptr, &model) == RGAN_MODEL_FORMAT);
    check(says("more bytes than the limit of 1 GiB"));
    check(model == nullptr);
  }
}

// A download that was cut says so, and not what a parser makes of it.
void test_a_model_that_is_cut_has_another_hash() {
  const auto content = model_bytes::make();
  const sdk::Model whole = sdk::open_model();
  const std::string hash = rgan_model_sha256(whole.get());
  rgan_model* model = nullptr;
  check(rgan_model_open_memory(content.data(), content.size() / 2, hash.c_str(), &model) ==
        RGAN_MODEL_FORMAT);
  check(says("expected " + hash));
  check(model == nullptr);
}

// A file of the kernel that may be written to, and that not even root may read.
void test_why_a_model_cannot_be_opened() {
  rgan_model* model = nullptr;
  check(rgan_model_open("/proc/sys/vm/compact_memory", nullptr, &model) == RGAN_NOT_FOUND);
  check(says("the model cannot be read (Permission denied)"));
}

void test_a_text_is_cut_between_two_characters() {
  rgan_model* model = nullptr;
  for (const char* folder : {"/", "//"}) {
    std::string path = folder;
    for (int i = 0; i < 9000; ++i) path += "\u00e4";
    check(rgan_model_open(path.c_str(), nullptr, &model) == RGAN_NOT_FOUND);
    const std::string_view text = rgan_last_error();
    check(text.size() > 8000);
    check(path.starts_with(text));
    check(text.ends_with("\u00e4"));
  }
}

void test_a_long_path_leaves_room_for_the_reason() {
  rgan_model* model = nullptr;
  const std::string path = "/" + std::string(4096, 'x');
  check(rgan_model_open(path.c_str(), nullptr, &model) == RGAN_NOT_FOUND);
  check(says("File name too long"));
}

// Integers that were not float32 before, so that the self-test has nothing to compare with.
void test_a_model_without_float32_values() {
  const auto content = model_bytes::make_quantized();
  rgan_model* opened = nullptr;
  check(rgan_model_open_memory(content.data(), content.size(), nullptr, &opened) == RGAN_OK);
  const sdk::Model model(opened);
  const rgan_engine_options options = sdk::stub_options();
  rgan_engine* engine = nullptr;
  check(rgan_engine_create(model.get(), &options, &engine) == RGAN_ENGINE_UNAVAILABLE);
  check(says("tensor 'weights' is stored in integers"));
  check(engine == nullptr);
}

void test_no_memory_for_the_last_of_several_engines() {
  ::setenv("RGAN_OPENVINO", "/no/such/libopenvino_c.so", 1);  // NOLINT(concurrency-mt-unsafe)
  ::setenv("RGAN_ONNXRUNTIME", RGAN_STUB_RUNTIME, 1);         // NOLINT(concurrency-mt-unsafe)
  const sdk::Model model = sdk::open_model();
  const auto create = [&] {
    rgan_engine* engine = nullptr;
    const rgan_status status = rgan_engine_create(model.get(), nullptr, &engine);
    rgan_engine_release(engine);
    return status;
  };
  check(create() == RGAN_OK);
  {
    const Failing failing(Call::create_session, kNoMemory);
    check(create() == RGAN_OUT_OF_MEMORY);
    check(says("/no/such/libopenvino_c.so"));
    check(says(kNoMemory));
  }
  const Failing failing(Call::create_session, "this graph is too new");
  check(create() == RGAN_ENGINE_UNAVAILABLE);
}

void test_no_memory_for_a_tensor() {
  const sdk::Model model = sdk::open_model();
  const sdk::Engine engine = sdk::create_engine(model.get());
  const std::vector<float> hu = sdk::make_hu(1);
  std::vector<float> out = hu;
  {
    const Failing failing(Call::create_tensor, kNoMemory);
    check(sdk::harmonize(engine.get(), hu, out) == RGAN_OK);
    check(out == sdk::shift(hu));
  }
  const Failing failing(Call::create_tensor, kNoMemory, 2);
  check(sdk::harmonize(engine.get(), hu, out) == RGAN_OUT_OF_MEMORY);
}

// The engine is there, so that no runtime is lacking.
void test_a_second_try_that_cannot_open_its_session() {
  const sdk::Model model = sdk::open_model();
  const sdk::Engine engine = sdk::create_engine(model.get());
  std::vector<float> hu = sdk::make_hu(1);
  const Failing failing(Call::run, kNoMemory);
  // What is logged between the two tries.
  rgan_set_log(
      [](rgan_log_level, const char*, void*) {
        sdk::stub_runtime().message = "this graph is too new";
        sdk::stub_runtime().failures = 1;
        sdk::stub_runtime().failing = Call::create_session;
      },
      nullptr, RGAN_LOG_WARNING);
  check(sdk::harmonize(engine.get(), hu, hu) == RGAN_INFERENCE);
  rgan_set_log(nullptr, nullptr, RGAN_LOG_WARNING);
  check(says("this graph is too new"));
  check(hu == sdk::make_hu(1));
}

void test_a_stop_counts_though_there_is_no_slice() {
  const sdk::Model model = sdk::open_model();
  const sdk::Engine engine = sdk::create_engine(model.get());
  const sdk::Stop stop = sdk::create_stop();
  rgan_harmonize_options options = RGAN_HARMONIZE_OPTIONS_INIT;
  options.stop = stop.get();
  const rgan_stored_format format = {.size = sizeof format, .type = RGAN_INT16, .slope = 1};
  const auto expect = [&](rgan_status wanted) {
    check(rgan_harmonize(engine.get(), nullptr, 0, 4, 4, sdk::kSpacing, nullptr, &options) ==
          wanted);
    check(rgan_harmonize_stored(engine.get(), nullptr, 0, 4, 4, &format, sdk::kSpacing, nullptr,
                                nullptr, &options) == wanted);
  };
  expect(RGAN_OK);
  rgan_stop_request(stop.get());
  expect(RGAN_CANCELLED);
}

}  // namespace

int main() {
  test_a_model_of_too_many_bytes();
  test_a_model_that_is_cut_has_another_hash();
  test_why_a_model_cannot_be_opened();
  test_a_text_is_cut_between_two_characters();
  test_a_long_path_leaves_room_for_the_reason();
  test_a_model_without_float32_values();
  test_no_memory_for_the_last_of_several_engines();
  test_no_memory_for_a_tensor();
  test_a_second_try_that_cannot_open_its_session();
  test_a_stop_counts_though_there_is_no_slice();
  check(sdk::stub_runtime().sessions == 0);
  check(sdk::stub_runtime().other_objects == 0);
  return report();
}
