#include "session.hpp"

#include <array>
#include <string>
#include <string_view>
#include <utility>

#include "../../error.hpp"
#include "../memory.hpp"

namespace rgan::openvino {
namespace {

// Goes before an ONNX file, so that OpenVINO takes it as ONNX (rgan_sdk.engines.openvino).
constexpr std::string_view kIsOnnx{"\x12\x07<onnx/>\x1a\x00\x22\x00", 13};

[[noreturn]] void refuse(const std::string& problem) {
  throw Error(lacks_memory(problem) ? RGAN_OUT_OF_MEMORY : RGAN_INFERENCE,
              "OpenVINO failed: " + problem);
}

}  // namespace

// The same settings as in Python (rgan_sdk.engines.openvino). The precision is always set: OpenVINO
// would choose bfloat16 on processors that have it.
Session::Session(std::shared_ptr<const Runtime> runtime, Bytes content, std::int64_t rows,
                 std::int64_t columns, int threads)
    : runtime_(std::move(runtime)),
      compiled_(nullptr, runtime_->api().free_compiled),
      request_(nullptr, runtime_->api().free_request) {
  const Api& api = runtime_->api();
  std::string file(kIsOnnx);
  file.append(reinterpret_cast<const char*>(content.data()), content.size());
  Model* read = nullptr;
  require(api.read_model(runtime_->core(), file.data(), file.size(), nullptr, &read));
  const Owned<Model> model(read, api.free_model);
  const auto exactly = [](std::int64_t size) { return Dimension{.min = size, .max = size}; };
  std::array sizes = {exactly(1), exactly(1), exactly(rows), exactly(columns)};
  require(api.reshape(read, {.rank = exactly(4), .dims = sizes.data()}));
  CompiledModel* compiled = nullptr;
  require(api.compile(runtime_->core(), read, "CPU", 6, &compiled, "INFERENCE_PRECISION_HINT",
                      "f32", "PERFORMANCE_HINT", "LATENCY", "INFERENCE_NUM_THREADS",
                      std::to_string(threads).c_str()));
  compiled_.reset(compiled);
  InferRequest* request = nullptr;
  require(api.create_request(compiled, &request));
  request_.reset(request);
}

void Session::require(Status status) const {
  const std::string problem = runtime_->describe(status);
  if (problem.empty()) return;
  throw Error(lacks_memory(problem) ? RGAN_OUT_OF_MEMORY : RGAN_ENGINE_UNAVAILABLE,
              "OpenVINO cannot run this model: " + problem);
}

Session::Owned<Tensor> Session::make_tensor(float* data, const Slice& slice) const {
  std::array<std::int64_t, 4> sizes = {1, 1, slice.rows, slice.columns};
  Tensor* tensor = nullptr;
  const Status status = runtime_->api().create_tensor(
      runtime_->float_type(), {.rank = sizes.size(), .dims = sizes.data()}, data, &tensor);
  if (status != 0) refuse(runtime_->describe(status));
  return {tensor, runtime_->api().free_tensor};
}

void Session::run(const Slice& slice, const std::stop_token& stop) {
  const Api& api = runtime_->api();
  const Owned<Tensor> hu = make_tensor(slice.hu, slice);
  const Owned<Tensor> out = make_tensor(slice.out, slice);
  Status status = api.set_input(request_.get(), hu.get());
  if (status == 0) status = api.set_output(request_.get(), out.get());
  if (status == 0) status = api.start(request_.get());
  if (status == 0) {
    // Only what has begun can be cancelled.
    const std::stop_callback cancel(stop, [&]() noexcept { api.cancel(request_.get()); });
    status = api.wait(request_.get());
  }
  if (stop.stop_requested()) throw Error(RGAN_CANCELLED, "stopped, as the caller asked");
  if (status != 0) refuse(runtime_->describe(status));
}

}  // namespace rgan::openvino
