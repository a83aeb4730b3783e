#include "ort_session.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "../error.hpp"
#include "memory.hpp"

namespace rgan::ort {
namespace {

[[noreturn]] void refuse(const std::string& problem) {
  throw Error(lacks_memory(problem) ? RGAN_OUT_OF_MEMORY : RGAN_INFERENCE,
              "ONNX Runtime failed: " + problem);
}

}  // namespace

OrtSession::OrtSession(std::shared_ptr<const Runtime> runtime, Bytes content, Precision precision,
                       const Place& place)
    : runtime_(std::move(runtime)),
      on_cuda_(place.cuda.has_value()),
      session_(nullptr, runtime_->api().release_session),
      memory_(nullptr, runtime_->api().release_memory_info) {
  const Api& api = runtime_->api();
  const Owned<SessionOptions> options = make_options(precision, place);
  ort::Session* session = nullptr;
  require(api.create_session_from_array(runtime_->env(), content.data(), content.size(),
                                        options.get(), &session));
  session_.reset(session);
  MemoryInfo* memory = nullptr;
  require(api.create_cpu_memory_info(kDeviceAllocator, kDefaultMemory, &memory));
  memory_.reset(memory);
}

void OrtSession::require(Status* status) const {
  const std::string problem = runtime_->take_error(status);
  if (problem.empty()) return;
  throw Error(lacks_memory(problem) ? RGAN_OUT_OF_MEMORY : RGAN_ENGINE_UNAVAILABLE,
              "ONNX Runtime cannot run this model: " + problem);
}

OrtSession::Owned<SessionOptions> OrtSession::make_options(Precision precision,
                                                           const Place& place) const {
  const Api& api = runtime_->api();
  SessionOptions* created = nullptr;
  require(api.create_session_options(&created));
  Owned<SessionOptions> options(created, api.release_session_options);
  require(api.set_log_severity(created, kWarning));
  // The same level as in Python, because it affects the bits of the output.
  require(api.set_optimization_level(created, kAllOptimizations));
  // A file that was checked as ONNX could begin like one in the runtime's own format.
  require(api.add_session_config_entry(created, "session.load_model_format", "ONNX"));
  if (place.cuda) {
    append_cuda(created, precision, *place.cuda);
  } else {
    require(api.set_intra_op_threads(created, place.threads));
  }
  return options;
}

// The same settings as in Python (rgan_sdk.engines.onnxruntime).
void OrtSession::append_cuda(SessionOptions* options, Precision precision, int device) const {
  const Api& api = runtime_->api();
  CudaOptions* created = nullptr;
  require(api.create_cuda_options(&created));
  const Owned<CudaOptions> cuda(created, api.release_cuda_options);
  const std::string number = std::to_string(device);
  // TF32 would round float32 models; float16 ones need it for Tensor Cores.
  const char* tf32 = precision == Precision::fp32 ? "0" : "1";
  const std::array keys = {"device_id", "use_tf32", "cudnn_conv_algo_search",
                           "arena_extend_strategy"};
  const std::array values = {number.c_str(), tf32, "EXHAUSTIVE", "kSameAsRequested"};
  require(api.update_cuda_options(created, keys.data(), values.data(), keys.size()));
  require(api.append_cuda(options, created));
  require(api.add_session_config_entry(options, "session.disable_cpu_ep_fallback", "1"));
}

OrtSession::Owned<Value> OrtSession::make_tensor(float* data,
                                                 const std::vector<std::int64_t>& shape) const {
  std::size_t count = 1;
  for (const std::int64_t size : shape) count *= static_cast<std::size_t>(size);
  Value* tensor = nullptr;
  const std::string problem = runtime_->take_error(runtime_->api().create_tensor_with_data(
      memory_.get(), data, count * sizeof(float), shape.data(), shape.size(), kFloat, &tensor));
  if (!problem.empty()) refuse(problem);
  return {tensor, runtime_->api().release_value};
}

void OrtSession::run(const Slice& slice, const std::stop_token& stop) {
  const Api& api = runtime_->api();
  const std::vector<std::int64_t> shape = {1, 1, slice.rows, slice.columns};
  // On a CPU the graph holds the pixel spacing.
  const bool brings_spacing = on_cuda_ && slice.pixel_spacing.has_value();
  float pixel_spacing = slice.pixel_spacing.value_or(0);
  const Owned<Value> hu = make_tensor(slice.hu, shape);
  const Owned<Value> spacing = make_tensor(&pixel_spacing, {1});
  const Owned<Value> out = make_tensor(slice.out, shape);
  RunOptions* created = nullptr;
  std::string problem = runtime_->take_error(api.create_run_options(&created));
  const Owned<RunOptions> options(created, api.release_run_options);
  if (problem.empty()) {
    // What it returns is not read, because this must not throw.
    const std::stop_callback terminate(
        stop, [&]() noexcept { api.release_status(api.set_terminate(options.get())); });
    const std::array input_names = {"hu", "pixel_spacing"};
    const std::array output_names = {"harmonized_hu"};
    const std::array<const Value*, 2> inputs = {hu.get(), spacing.get()};
    std::array<Value*, 1> outputs = {out.get()};
    problem = runtime_->take_error(api.run(session_.get(), options.get(), input_names.data(),
                                           inputs.data(), brings_spacing ? 2 : 1,
                                           output_names.data(), 1, outputs.data()));
  }
  if (stop.stop_requested()) throw Error(RGAN_CANCELLED, "stopped, as the caller asked");
  if (!problem.empty()) refuse(problem);
}

}  // namespace rgan::ort
