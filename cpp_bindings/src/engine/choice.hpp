// Chooses the runtime and the device of an engine.
#pragma once

#include <memory>
#include <string>

#include "engine.hpp"

namespace rgan {

struct Choice {
  std::string engine = "auto";     // or "onnxruntime", "openvino"
  std::string device = "auto";     // or "cpu", "cuda", "cuda:N"
  std::string precision = "auto";  // or "fp32", "fp16", "int8"
  std::string runtime;             // the path of the library; empty to look for it
  int threads = 1;                 // that compute one slice on a CPU
};

// Open a model with an engine that has passed the self-test. "auto" takes the first that can run
// it: ONNX Runtime on CUDA, OpenVINO, ONNX Runtime on the CPU. With a path, only ONNX Runtime is
// tried. Throws Error; one of RGAN_ENGINE_UNAVAILABLE says of each engine why it cannot run.
[[nodiscard]] std::unique_ptr<Engine> open_engine(const std::shared_ptr<const VerifiedModel>& model,
                                                  const Choice& choice);

}  // namespace rgan
