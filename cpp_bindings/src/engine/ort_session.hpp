// One model in ONNX Runtime, ready to run on the CPU or on CUDA.
#pragma once

#include <memory>
#include <optional>
#include <stop_token>
#include <vector>

#include "ort_runtime.hpp"
#include "session.hpp"

namespace rgan::ort {

// Where and how a session computes.
struct Place {
  std::optional<int> cuda;  // the number of the device; none is the CPU
  int threads = 0;          // that compute one slice on a CPU
};

class OrtSession final : public rgan::Session {
 public:
  // `content` is copied. Where it has the pixel spacing as an input, each slice brings its own.
  // Throws Error (RGAN_ENGINE_UNAVAILABLE or RGAN_OUT_OF_MEMORY) if the runtime cannot run it.
  OrtSession(std::shared_ptr<const Runtime> runtime, Bytes content, Precision precision,
             const Place& place);

  void run(const Slice& slice, const std::stop_token& stop) override;

 private:
  template <typename Type>
  using Owned = std::unique_ptr<Type, void (*)(Type*)>;

  void require(Status* status) const;
  [[nodiscard]] Owned<SessionOptions> make_options(Precision precision, const Place& place) const;
  void append_cuda(SessionOptions* options, Precision precision, int device) const;
  [[nodiscard]] Owned<Value> make_tensor(float* data, const std::vector<std::int64_t>& shape) const;

  std::shared_ptr<const Runtime> runtime_;
  bool on_cuda_;
  Owned<ort::Session> session_;
  Owned<MemoryInfo> memory_;
};

}  // namespace rgan::ort
