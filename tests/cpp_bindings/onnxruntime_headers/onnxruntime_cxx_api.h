// The part of ONNX Runtime's C++ interface that examples/onnxruntime uses, written anew.
//
// The wheels of ONNX Runtime hold its library without headers, so that the example is compiled
// against this in tests, and run with the library of the wheel. Names and arguments are those of
// onnxruntime_cxx_api.h of ONNX Runtime (MIT licence, Microsoft Corporation), and so are the places
// of functions in version 1 of its table, which never change.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>

enum OrtLoggingLevel { ORT_LOGGING_LEVEL_WARNING = 2 };
enum OrtAllocatorType { OrtDeviceAllocator = 0 };
enum OrtMemType { OrtMemTypeDefault = 0 };

struct OrtStatus;
struct OrtApiBase {
  const void* (*get_api)(std::uint32_t version);
  const char* (*get_version)();
};
extern "C" const OrtApiBase* OrtGetApiBase();

namespace Ort {

struct Exception : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Call a function of the table by its place.
template <typename Result, typename... Arguments>
Result call(int place, Arguments... arguments) {
  using Any = void (*)();
  static const auto* const table = static_cast<const Any*>(OrtGetApiBase()->get_api(1));
  return reinterpret_cast<Result (*)(Arguments...)>(table[place])(arguments...);
}

// The same, for a function that may fail.
template <typename... Arguments>
void check(int place, Arguments... arguments) {
  auto* status = call<OrtStatus*>(place, arguments...);
  if (status == nullptr) return;
  const std::string text = call<const char*>(2, static_cast<const OrtStatus*>(status));
  call<void>(93, status);
  throw Exception(text);
}

// Owns an object that the function at a place releases.
template <int release>
struct Owner {
  struct Object;
  struct Release {
    void operator()(Object* object) const { call<void>(release, object); }
  };
  std::unique_ptr<Object, Release> p;

  // Make the object by a function whose last argument receives it.
  template <typename... Arguments>
  void make(int place, Arguments... arguments) {
    Object* made = nullptr;
    check(place, arguments..., &made);
    p.reset(made);
  }
};

struct Env : Owner<92> {
  Env(OrtLoggingLevel level, const char* id) { make(3, level, id); }
};

struct SessionOptions : Owner<100> {
  SessionOptions() { make(10); }
};

struct RunOptions : Owner<97> {
  RunOptions() { make(39); }
};

struct MemoryInfo : Owner<94> {
  static MemoryInfo CreateCpu(OrtAllocatorType allocator, OrtMemType memory) {
    MemoryInfo info;
    info.make(69, allocator, memory);
    return info;
  }

 private:
  MemoryInfo() = default;
};

struct Value : Owner<96> {
  template <typename T>
  static Value CreateTensor(const MemoryInfo& memory, T* data, std::size_t count,
                            const std::int64_t* shape, std::size_t rank) {
    static_assert(std::is_same_v<T, float>);
    constexpr int kFloat = 1;
    Value value;
    value.make(49, memory.p.get(), static_cast<void*>(data), count * sizeof(T), shape, rank,
               kFloat);
    return value;
  }

 private:
  Value() = default;
};

struct Session : Owner<95> {
  Session(const Env& env, const void* model, std::size_t size, const SessionOptions& options) {
    make(8, env.p.get(), model, size, options.p.get());
  }

  // For one input and one output, which is what the example has.
  void Run(const RunOptions& options, const char* const* input_names, const Value* inputs,
           std::size_t input_count, const char* const* output_names, Value* outputs,
           std::size_t output_count) {
    auto* input = inputs->p.get();
    auto* output = outputs->p.get();
    check(9, p.get(), options.p.get(), input_names, &input, input_count, output_names, output_count,
          &output);
  }
};

}  // namespace Ort
