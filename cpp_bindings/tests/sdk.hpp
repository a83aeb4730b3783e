// What the tests of the C interface share: a model, an engine on the stub runtime, images.
#pragma once

#include <dlfcn.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string_view>
#include <vector>

#include "check.hpp"
#include "model_bytes.hpp"
#include "rgan/rgan.h"
#include "stub_runtime.hpp"

namespace sdk {

template <typename Type, void (*release)(Type*)>
struct Release {
  void operator()(Type* object) const { release(object); }
};
using Model = std::unique_ptr<rgan_model, Release<rgan_model, rgan_model_release>>;
using Engine = std::unique_ptr<rgan_engine, Release<rgan_engine, rgan_engine_release>>;
using Stop = std::unique_ptr<rgan_stop, Release<rgan_stop, rgan_stop_release>>;

inline constexpr std::size_t kRows = 6;
inline constexpr std::size_t kColumns = 5;
inline constexpr std::size_t kPixels = kRows * kColumns;
inline constexpr double kSpacing = 0.625;  // exact in float

inline stub::Behaviour& stub_runtime() {
  static auto* behaviour = [] {
    void* library = ::dlopen(RGAN_STUB_RUNTIME, RTLD_NOW | RTLD_LOCAL);
    auto* get = library == nullptr
                    ? nullptr
                    : reinterpret_cast<stub::Behaviour* (*)()>(::dlsym(library, "stub_behaviour"));
    if (get == nullptr) {
      std::fputs("the stub runtime cannot be loaded\n", stderr);
      std::abort();
    }
    return get();
  }();
  return *behaviour;
}

// While it lives, a call of the stub fails `failures` times after `calls_before` of it.
class Failing {
 public:
  explicit Failing(stub::Call call, const char* message = "the stub failed", int failures = 1,
                   int calls_before = 0) {
    stub_runtime().message = message;
    stub_runtime().failures = failures;
    stub_runtime().calls_before = calls_before;
    stub_runtime().failing = call;
  }
  Failing(const Failing&) = delete;
  Failing(Failing&&) = delete;
  Failing& operator=(const Failing&) = delete;
  Failing& operator=(Failing&&) = delete;
  ~Failing() { stub_runtime().failing = stub::Call::none; }
};

inline bool says(std::string_view text) {
  const bool is_said = std::string_view(rgan_last_error()).find(text) != std::string_view::npos;
  if (!is_said) std::fprintf(stderr, "said: %s\n", rgan_last_error());
  return is_said;
}

inline Model open_model(int format = 2) {
  const auto content = model_bytes::make(format);
  rgan_model* model = nullptr;
  if (rgan_model_open_memory(content.data(), content.size(), nullptr, &model) != RGAN_OK) {
    std::fputs(rgan_last_error(), stderr);
    std::abort();
  }
  return Model(model);
}

inline rgan_engine_options stub_options() {
  rgan_engine_options options = RGAN_ENGINE_OPTIONS_INIT;
  options.engine = "onnxruntime";
  options.device = "cpu";
  options.runtime = RGAN_STUB_RUNTIME;
  options.threads = 1;
  return options;
}

inline Engine create_engine(const rgan_model* model) {
  const rgan_engine_options options = stub_options();
  rgan_engine* engine = nullptr;
  if (rgan_engine_create(model, &options, &engine) != RGAN_OK) {
    std::fputs(rgan_last_error(), stderr);
    std::abort();
  }
  return Engine(engine);
}

inline Stop create_stop() {
  rgan_stop* stop = nullptr;
  check(rgan_stop_create(&stop) == RGAN_OK);
  return Stop(stop);
}

// A stack of slices, no two pixels of which are equal.
inline std::vector<float> make_hu(std::size_t slices) {
  std::vector<float> hu(slices * kPixels);
  for (std::size_t i = 0; i < hu.size(); ++i) hu[i] = static_cast<float>(i);
  return hu;
}

// What the stub makes of them.
inline std::vector<float> shift(std::vector<float> hu, double spacing = kSpacing) {
  for (float& value : hu) value += static_cast<float>(spacing);
  return hu;
}

inline rgan_status harmonize(rgan_engine* engine, const std::vector<float>& hu,
                             std::vector<float>& out,
                             const rgan_harmonize_options* options = nullptr,
                             double spacing = kSpacing) {
  return rgan_harmonize(engine, hu.data(), hu.size() / kPixels, kRows, kColumns, spacing,
                        out.data(), options);
}

}  // namespace sdk
