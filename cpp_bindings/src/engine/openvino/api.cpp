#include "api.hpp"

#include <dlfcn.h>

#include <algorithm>
#include <array>
#include <map>
#include <mutex>

#include "../../error.hpp"
#include "../library.hpp"

namespace rgan::openvino {
namespace {

constexpr std::array kSonames = {"libopenvino_c.so"};
constexpr Library kLibrary{.name = "OpenVINO", .variable = "RGAN_OPENVINO", .sonames = kSonames};

template <typename Function>
void find(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(::dlsym(library, name));
  if (function != nullptr) return;
  throw Error(RGAN_ENGINE_UNAVAILABLE,
              std::string("the library that was loaded is not OpenVINO's C interface, or a release "
                          "that is too old: it lacks ") +
                  name);
}

}  // namespace

Runtime::Runtime(void* library) {
  find(library, "ov_get_openvino_version", api_.get_version);
  find(library, "ov_version_free", api_.free_version);
  find(library, "ov_get_last_err_msg", api_.get_last_error);
  find(library, "ov_free", api_.free_text);
  find(library, "ov_core_create", api_.create_core);
  find(library, "ov_core_free", api_.free_core);
  find(library, "ov_core_read_model_from_memory_buffer", api_.read_model);
  find(library, "ov_model_reshape_single_input", api_.reshape);
  find(library, "ov_model_free", api_.free_model);
  find(library, "ov_core_compile_model", api_.compile);
  find(library, "ov_compiled_model_free", api_.free_compiled);
  find(library, "ov_compiled_model_create_infer_request", api_.create_request);
  find(library, "ov_infer_request_set_input_tensor", api_.set_input);
  find(library, "ov_infer_request_set_output_tensor", api_.set_output);
  find(library, "ov_infer_request_start_async", api_.start);
  find(library, "ov_infer_request_wait", api_.wait);
  find(library, "ov_infer_request_cancel", api_.cancel);
  find(library, "ov_infer_request_free", api_.free_request);
  find(library, "ov_tensor_create_from_host_ptr", api_.create_tensor);
  find(library, "ov_tensor_get_byte_size", api_.get_byte_size);
  find(library, "ov_tensor_free", api_.free_tensor);
  float_type_ = find_float_type();
  Version version{};
  if (api_.get_version(&version) == 0) {
    version_ = version.number;
    version_.resize(std::min(version_.find('-'), version_.size()));  // the number of the build
    api_.free_version(&version);
  }
  const std::string problem = describe(api_.create_core(&core_));
  if (!problem.empty()) {
    throw Error(RGAN_ENGINE_UNAVAILABLE, "OpenVINO cannot start: " + problem);
  }
}

// The types between which releases differ are float16 and float32.
unsigned Runtime::find_float_type() const {
  float pixel = 0;
  std::int64_t length = 1;
  for (const unsigned candidate : {4U, 5U}) {
    Tensor* tensor = nullptr;
    if (api_.create_tensor(candidate, {.rank = 1, .dims = &length}, &pixel, &tensor) != 0) continue;
    std::size_t bytes = 0;
    const bool is_known = api_.get_byte_size(tensor, &bytes) == 0;
    api_.free_tensor(tensor);
    if (is_known && bytes == sizeof pixel) return candidate;
  }
  throw Error(RGAN_ENGINE_UNAVAILABLE, "this release of OpenVINO has another C interface");
}

std::shared_ptr<const Runtime> Runtime::load(const std::string& path) {
  static std::mutex mutex;
  static std::map<void*, std::shared_ptr<const Runtime>> loaded;  // by library
  const std::scoped_lock lock(mutex);
  void* library = open_library(kLibrary, path);
  std::shared_ptr<const Runtime>& runtime = loaded[library];
  if (runtime != nullptr) return runtime;
  runtime.reset(new Runtime(library));
  log_loaded(kLibrary, runtime->version(),
             reinterpret_cast<const void*>(runtime->api().get_version));
  return runtime;
}

std::string Runtime::describe(Status status) const {
  if (status == 0) return {};
  const std::unique_ptr<char, void (*)(const char*)> message(api_.get_last_error(), api_.free_text);
  std::string text = message == nullptr ? "" : message.get();
  while (!text.empty() && text.back() == '\n') text.pop_back();
  text = text.substr(text.rfind('\n') + 1);  // earlier lines name source files
  return text.empty() ? "status " + std::to_string(status) : text;
}

}  // namespace rgan::openvino
