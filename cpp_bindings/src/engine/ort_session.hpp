// One model in ONNX Runtime, ready to run on the CPU.
#pragma once

#include <cstdint>
#include <memory>
#include <stop_token>
#include <vector>

#include "ort_runtime.hpp"
#include "rgan/element.hpp"

namespace rgan::ort {

class OrtSession {
 public:
  // `model` is copied. Throws Error (RGAN_ENGINE_UNAVAILABLE) if the runtime cannot run it.
  OrtSession(std::shared_ptr<const Runtime> runtime, Bytes model, int threads);

  // Harmonize one slice of rows x columns from `hu` to `out`. Throws Error (RGAN_INFERENCE,
  // RGAN_OUT_OF_MEMORY, or RGAN_CANCELLED once `stop` is requested).
  void run(float* hu, float* out, std::int64_t rows, std::int64_t columns,
           const std::stop_token& stop) const;

 private:
  [[nodiscard]] Value* make_tensor(float* data, const std::vector<std::int64_t>& shape) const;

  template <typename Type>
  using Owned = std::unique_ptr<Type, void (*)(Type*)>;

  std::shared_ptr<const Runtime> runtime_;
  Owned<Session> session_;
  Owned<MemoryInfo> memory_;
};

}  // namespace rgan::ort
