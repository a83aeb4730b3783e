// ONNX Runtime through its C interface and nothing else: what librgan is measured against.
//
// As a program: bare_runtime RUNTIME MODEL ROWS COLUMNS <slice.f32 >harmonized.f32
// As a library: bare_open and bare_run, for one model. The pixel spacing is bound to its file.

#include <dlfcn.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <vector>

#include "../../cpp_bindings/src/engine/ort_api.hpp"

namespace {

namespace ort = rgan::ort;

const ort::Api* api;
ort::Session* session;
ort::MemoryInfo* memory;

void require(ort::Status* status) {
  if (status == nullptr) return;
  std::fprintf(stderr, "%s\n", api->get_error_message(status));
  std::exit(1);
}

ort::Value* make_tensor(float* data, const std::array<std::int64_t, 4>& shape) {
  ort::Value* tensor = nullptr;
  const auto bytes = static_cast<std::size_t>(shape[2] * shape[3]) * sizeof(float);
  require(api->create_tensor_with_data(memory, data, bytes, shape.data(), shape.size(), ort::kFloat,
                                       &tensor));
  return tensor;
}

}  // namespace

extern "C" {

void bare_open(const char* runtime, const void* model, std::size_t size) {
  void* library = ::dlopen(runtime, RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) std::exit(2);
  const auto get_base =
      reinterpret_cast<const ort::ApiBase* (*)()>(::dlsym(library, "OrtGetApiBase"));
  api = static_cast<const ort::Api*>(get_base()->get_api(ort::kApiVersion));
  ort::Env* env = nullptr;
  require(api->create_env(ort::kFatal, "bare", &env));
  ort::SessionOptions* options = nullptr;
  require(api->create_session_options(&options));
  require(api->set_optimization_level(options, ort::kAllOptimizations));
  require(api->set_intra_op_threads(options, 1));
  require(api->create_session_from_array(env, model, size, options, &session));
  require(api->create_cpu_memory_info(ort::kDeviceAllocator, ort::kDefaultMemory, &memory));
}

void bare_run(float* hu, float* out, std::int64_t rows, std::int64_t columns) {
  const std::array<std::int64_t, 4> shape = {1, 1, rows, columns};
  const std::array input_names = {"hu"};
  const std::array output_names = {"harmonized_hu"};
  const std::array<const ort::Value*, 1> inputs = {make_tensor(hu, shape)};
  std::array<ort::Value*, 1> outputs = {make_tensor(out, shape)};
  require(api->run(session, nullptr, input_names.data(), inputs.data(), 1, output_names.data(), 1,
                   outputs.data()));
  api->release_value(const_cast<ort::Value*>(inputs[0]));
  api->release_value(outputs[0]);
}
}

int main(int count, char** arguments) {
  if (count != 5) return 2;
  std::ifstream file(arguments[2], std::ios::binary);
  const std::vector<char> model{std::istreambuf_iterator<char>(file), {}};
  const std::int64_t rows = std::atoll(arguments[3]);
  const std::int64_t columns = std::atoll(arguments[4]);
  std::vector<float> hu(static_cast<std::size_t>(rows * columns));
  std::vector<float> out(hu.size());
  if (std::fread(hu.data(), sizeof(float), hu.size(), stdin) != hu.size()) return 2;
  bare_open(arguments[1], model.data(), model.size());
  bare_run(hu.data(), out.data(), rows, columns);
  std::fwrite(out.data(), sizeof(float), out.size(), stdout);
  return 0;
}
