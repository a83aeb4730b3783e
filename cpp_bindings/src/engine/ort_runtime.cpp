#include "ort_runtime.hpp"

#include <dlfcn.h>

#include <algorithm>
#include <array>
#include <map>
#include <mutex>
#include <sstream>
#include <string_view>
#include <tuple>
#include <utility>

#include "../error.hpp"
#include "../log.hpp"
#include "library.hpp"

namespace rgan::ort {
namespace {

constexpr std::array kSonames = {"libonnxruntime.so.1", "libonnxruntime.so"};
// The first that reads IR version 10 of ONNX, in which models are exported.
constexpr std::pair kOldest = {1, 18};
constexpr Library kLibrary{
    .name = "ONNX Runtime", .variable = "RGAN_ONNXRUNTIME", .sonames = kSonames};

// Nothing of the runtime's goes to standard error: what it has to say belongs to the caller's log.
void forward(void* /*user*/, int level, const char* /*category*/, const char* /*log_id*/,
             const char* /*place*/, const char* message) noexcept {
  log(level > kWarning ? RGAN_LOG_ERROR : RGAN_LOG_WARNING,
      [&] { return std::string("ONNX Runtime: ") + message; });
}

bool is_too_old(const char* version) {
  std::istringstream text(version);
  std::pair<int, int> own;
  char dot = 0;
  text >> own.first >> dot >> own.second;
  return !text || own < kOldest;
}

[[noreturn]] void refuse_version(const char* version) {
  throw Error(RGAN_ENGINE_UNAVAILABLE, std::string("ONNX Runtime ") + version +
                                           " is too old; version " + std::to_string(kOldest.first) +
                                           "." + std::to_string(kOldest.second) +
                                           " or later is needed");
}

}  // namespace

Runtime::Runtime(const Api& api, Env* env, std::string version)
    : api_(&api), env_(env), version_(std::move(version)) {}

std::shared_ptr<const Runtime> Runtime::load(const std::string& path) {
  static std::mutex mutex;
  static std::map<void*, std::shared_ptr<const Runtime>> loaded;  // by library
  const std::scoped_lock lock(mutex);
  void* library = open_library(kLibrary, path);
  if (const auto found = loaded.find(library); found != loaded.end()) return found->second;

  const auto get_base = reinterpret_cast<const ApiBase* (*)()>(::dlsym(library, "OrtGetApiBase"));
  const ApiBase* base = get_base == nullptr ? nullptr : get_base();
  const auto* api = base == nullptr ? nullptr : static_cast<const Api*>(base->get_api(kApiVersion));
  if (base != nullptr && (api == nullptr || is_too_old(base->get_version()))) {
    refuse_version(base->get_version());
  }
  if (api == nullptr) {
    throw Error(RGAN_ENGINE_UNAVAILABLE, "the library that was loaded is not ONNX Runtime");
  }
  Env* env = nullptr;
  std::shared_ptr<Runtime> runtime(new Runtime(*api, nullptr, base->get_version()));
  // A process has one environment: if another part of it made one, that part gets the messages.
  const std::string problem =
      runtime->take_error(api->create_env_with_logger(forward, nullptr, kWarning, "rgan", &env));
  if (!problem.empty()) {
    throw Error(RGAN_ENGINE_UNAVAILABLE, "ONNX Runtime cannot start: " + problem);
  }
  runtime->env_ = env;
  std::ignore = runtime->take_error(api->disable_telemetry(env));
  loaded.emplace(library, runtime);
  log_loaded(kLibrary, runtime->version(), reinterpret_cast<const void*>(get_base));
  return runtime;
}

bool Runtime::has_cuda() const {
  char** names = nullptr;
  int count = 0;
  if (!take_error(api_->get_available_providers(&names, &count)).empty()) return false;
  const bool found = std::any_of(names, names + count, [](const char* name) {
    return std::string_view(name) == "CUDAExecutionProvider";
  });
  std::ignore = take_error(api_->release_available_providers(names, count));
  return found;
}

std::string Runtime::take_error(Status* status) const {
  if (status == nullptr) return {};
  const std::unique_ptr<Status, void (*)(Status*)> owned(status, api_->release_status);
  std::string text = api_->get_error_message(status);
  if (text.empty()) text = "it does not say why";
  return text;
}

}  // namespace rgan::ort
