// ONNX Runtime, loaded when it is first needed.
#pragma once

#include <memory>
#include <string>

#include "ort_api.hpp"

namespace rgan::ort {

// A loaded library and its environment. Never unloaded: its threads may still run.
class Runtime {
 public:
  // Load the library at `path`; empty takes RGAN_ONNXRUNTIME, or else what the loader finds. Throws
  // Error (RGAN_ENGINE_UNAVAILABLE), which says what was tried.
  [[nodiscard]] static std::shared_ptr<const Runtime> load(const std::string& path);

  [[nodiscard]] const Api& api() const noexcept { return *api_; }
  [[nodiscard]] const Env* env() const noexcept { return env_; }
  [[nodiscard]] const std::string& version() const noexcept { return version_; }

  // Whether the library was built with CUDA. That says nothing of a device or a driver.
  [[nodiscard]] bool has_cuda() const;

  // Return what is wrong, and release the status; empty on success, where it is null.
  [[nodiscard]] std::string take_error(Status* status) const;

 private:
  Runtime(const Api& api, Env* env, std::string version);

  const Api* api_;
  Env* env_;
  std::string version_;
};

}  // namespace rgan::ort
