// The part of ONNX Runtime's C++ interface that examples/onnxruntime uses, written anew.
//
// The wheels of ONNX Runtime hold its library without headers, so that the example is compiled
// against this in tests, and run with the library of the wheel. Names and arguments are those of
// onnxruntime_cxx_api.h of ONNX Runtime (MIT licence, Microsoft Corporation).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>

#include "engine/ort_api.hpp"

enum OrtLoggingLevel { ORT_LOGGING_LEVEL_WARNING = 2 };
enum OrtAllocatorType { OrtDeviceAllocator = 0 };
enum OrtMemType { OrtMemTypeDefault = 0 };

extern "C" const rgan::ort::ApiBase* OrtGetApiBase();

namespace Ort {

struct Exception : std::runtime_error {
  using std::runtime_error::runtime_error;
};

inline const rgan::ort::Api& api() {
  static const auto& found =
      *static_cast<const rgan::ort::Api*>(OrtGetApiBase()->get_api(rgan::ort::kApiVersion));
  return found;
}

inline void check(rgan::ort::Status* status) {
  if (status == nullptr) return;
  const std::string text = api().get_error_message(status);
  api().release_status(status);
  throw Exception(text);
}

template <typename T>
struct Owner {
  std::unique_ptr<T, void (*)(T*)> p;

  Owner(void (*release)(T*)) : p(nullptr, release) {}
};

struct Env : Owner<rgan::ort::Env> {
  Env(OrtLoggingLevel level, const char* id) : Owner(api().release_env) {
    rgan::ort::Env* made = nullptr;
    check(api().create_env(level, id, &made));
    p.reset(made);
  }
};

struct SessionOptions : Owner<rgan::ort::SessionOptions> {
  SessionOptions() : Owner(api().release_session_options) {
    rgan::ort::SessionOptions* made = nullptr;
    check(api().create_session_options(&made));
    p.reset(made);
  }
};

struct RunOptions : Owner<rgan::ort::RunOptions> {
  RunOptions() : Owner(api().release_run_options) {
    rgan::ort::RunOptions* made = nullptr;
    check(api().create_run_options(&made));
    p.reset(made);
  }
};

struct MemoryInfo : Owner<rgan::ort::MemoryInfo> {
  static MemoryInfo CreateCpu(OrtAllocatorType allocator, OrtMemType memory) {
    MemoryInfo info;
    rgan::ort::MemoryInfo* made = nullptr;
    check(api().create_cpu_memory_info(allocator, memory, &made));
    info.p.reset(made);
    return info;
  }

 private:
  MemoryInfo() : Owner(api().release_memory_info) {}
};

struct Value : Owner<rgan::ort::Value> {
  template <typename T>
  static Value CreateTensor(const MemoryInfo& memory, T* data, std::size_t count,
                            const std::int64_t* shape, std::size_t rank) {
    static_assert(std::is_same_v<T, float>);
    Value value;
    rgan::ort::Value* made = nullptr;
    check(api().create_tensor_with_data(memory.p.get(), data, count * sizeof(T), shape, rank,
                                        rgan::ort::kFloat, &made));
    value.p.reset(made);
    return value;
  }

 private:
  Value() : Owner(api().release_value) {}
};

struct Session : Owner<rgan::ort::Session> {
  Session(const Env& env, const void* model, std::size_t size, const SessionOptions& options)
      : Owner(api().release_session) {
    rgan::ort::Session* made = nullptr;
    check(api().create_session_from_array(env.p.get(), model, size, options.p.get(), &made));
    p.reset(made);
  }

  // For one input and one output, which is what the example has.
  void Run(const RunOptions& options, const char* const* input_names, const Value* inputs,
           std::size_t input_count, const char* const* output_names, Value* outputs,
           std::size_t output_count) {
    const rgan::ort::Value* input = inputs->p.get();
    rgan::ort::Value* output = outputs->p.get();
    check(api().run(p.get(), options.p.get(), input_names, &input, input_count, output_names,
                    output_count, &output));
  }
};

}  // namespace Ort
