#include "ort_session.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "../error.hpp"

namespace rgan::ort {
namespace {

// Whether a message of the runtime means a lack of memory: it has no status of its own for that.
bool lacks_memory(const std::string& problem) {
  constexpr std::array kSigns = {"bad_alloc", "ailed to allocate", "ould not allocate",
                                 "ut of memory", "requested size"};
  return std::ranges::any_of(
      kSigns, [&](const char* sign) { return problem.find(sign) != std::string::npos; });
}

}  // namespace

OrtSession::OrtSession(std::shared_ptr<const Runtime> runtime, Bytes model, int threads)
    : runtime_(std::move(runtime)),
      session_(nullptr, runtime_->api().release_session),
      memory_(nullptr, runtime_->api().release_memory_info) {
  const Api& api = runtime_->api();
  const auto require = [&](Status* status) {
    const std::string problem = runtime_->take_error(status);
    if (problem.empty()) return;
    throw Error(lacks_memory(problem) ? RGAN_OUT_OF_MEMORY : RGAN_ENGINE_UNAVAILABLE,
                "ONNX Runtime cannot run this model: " + problem);
  };
  SessionOptions* created = nullptr;
  require(api.create_session_options(&created));
  const Owned<SessionOptions> options(created, api.release_session_options);
  require(api.set_log_severity(options.get(), kFatal));
  // The same level as in Python, because it affects the bits of the output.
  require(api.set_optimization_level(options.get(), kAllOptimizations));
  require(api.set_intra_op_threads(options.get(), threads));
  Session* session = nullptr;
  require(api.create_session_from_array(runtime_->env(), model.data(), model.size(), options.get(),
                                        &session));
  session_.reset(session);
  MemoryInfo* memory = nullptr;
  require(api.create_cpu_memory_info(kDeviceAllocator, kDefaultMemory, &memory));
  memory_.reset(memory);
}

Value* OrtSession::make_tensor(float* data, const std::vector<std::int64_t>& shape) const {
  std::size_t count = 1;
  for (const std::int64_t size : shape) count *= static_cast<std::size_t>(size);
  Value* tensor = nullptr;
  const std::string problem = runtime_->take_error(runtime_->api().create_tensor_with_data(
      memory_.get(), data, count * sizeof(float), shape.data(), shape.size(), kFloat, &tensor));
  if (!problem.empty()) throw Error(RGAN_INFERENCE, "ONNX Runtime failed: " + problem);
  return tensor;
}

void OrtSession::run(float* hu, float* out, std::int64_t rows, std::int64_t columns,
                     const std::stop_token& stop) const {
  const Api& api = runtime_->api();
  const std::vector<std::int64_t> shape = {1, 1, rows, columns};
  const Owned<Value> input(make_tensor(hu, shape), api.release_value);
  const Owned<Value> output(make_tensor(out, shape), api.release_value);
  RunOptions* created = nullptr;
  std::string problem = runtime_->take_error(api.create_run_options(&created));
  const Owned<RunOptions> options(created, api.release_run_options);
  if (problem.empty()) {
    // What it returns is not read, because this must not throw.
    const std::stop_callback terminate(
        stop, [&]() noexcept { api.release_status(api.set_terminate(options.get())); });
    const std::array input_names = {"hu"};
    const std::array output_names = {"harmonized_hu"};
    const std::array<const Value*, 1> inputs = {input.get()};
    std::array<Value*, 1> outputs = {output.get()};
    problem =
        runtime_->take_error(api.run(session_.get(), options.get(), input_names.data(),
                                     inputs.data(), 1, output_names.data(), 1, outputs.data()));
  }
  if (stop.stop_requested()) throw Error(RGAN_CANCELLED, "stopped, as the caller asked");
  if (problem.empty()) return;
  throw Error(lacks_memory(problem) ? RGAN_OUT_OF_MEMORY : RGAN_INFERENCE,
              "ONNX Runtime failed: " + problem);
}

}  // namespace rgan::ort
