#include "ort_runtime.hpp"

#include <dlfcn.h>

#include <cstdlib>
#include <map>
#include <mutex>
#include <utility>
#include <vector>

#include "../error.hpp"

namespace rgan::ort {
namespace {

constexpr const char* kVariable = "RGAN_ONNXRUNTIME";

std::vector<std::string> find_candidates(const std::string& path) {
  if (!path.empty()) return {path};
  // Read once, when a runtime is first needed; the caller must not change it at the same time.
  const char* chosen = std::getenv(kVariable);  // NOLINT(concurrency-mt-unsafe)
  if (chosen != nullptr && *chosen != '\0') return {chosen};
  return {"libonnxruntime.so.1", "libonnxruntime.so"};
}

void* open_library(const std::vector<std::string>& candidates) {
  std::string problems;
  for (const std::string& candidate : candidates) {
    if (void* library = ::dlopen(candidate.c_str(), RTLD_NOW | RTLD_LOCAL)) return library;
    problems += "\n  ";
    problems += ::dlerror();
  }
  throw Error(RGAN_ENGINE_UNAVAILABLE,
              "ONNX Runtime cannot be loaded; install it, or give the path of libonnxruntime.so in "
              "the options or in the environment variable RGAN_ONNXRUNTIME:" +
                  problems);
}

}  // namespace

Runtime::Runtime(const Api& api, Env* env, std::string version)
    : api_(&api), env_(env), version_(std::move(version)) {}

std::shared_ptr<const Runtime> Runtime::load(const std::string& path) {
  static std::mutex mutex;
  static std::map<void*, std::shared_ptr<const Runtime>> loaded;  // by library
  const std::scoped_lock lock(mutex);
  void* library = open_library(find_candidates(path));
  if (const auto found = loaded.find(library); found != loaded.end()) return found->second;

  const auto get_base = reinterpret_cast<const ApiBase* (*)()>(::dlsym(library, "OrtGetApiBase"));
  const ApiBase* base = get_base == nullptr ? nullptr : get_base();
  const auto* api = base == nullptr ? nullptr : static_cast<const Api*>(base->get_api(kApiVersion));
  if (api == nullptr) {
    throw Error(RGAN_ENGINE_UNAVAILABLE, "the library that was loaded is not ONNX Runtime");
  }
  Env* env = nullptr;
  std::shared_ptr<Runtime> runtime(new Runtime(*api, nullptr, base->get_version()));
  const std::string problem = runtime->take_error(api->create_env(kFatal, "rgan", &env));
  if (!problem.empty()) {
    throw Error(RGAN_ENGINE_UNAVAILABLE, "ONNX Runtime cannot start: " + problem);
  }
  runtime->env_ = env;
  loaded.emplace(library, runtime);
  return runtime;
}

std::string Runtime::take_error(Status* status) const {
  if (status == nullptr) return {};
  const std::unique_ptr<Status, void (*)(Status*)> owned(status, api_->release_status);
  std::string text = api_->get_error_message(status);
  if (text.empty()) text = "it does not say why";
  return text;
}

}  // namespace rgan::ort
