#include "choice.hpp"

#include <charconv>
#include <optional>
#include <utility>
#include <vector>

#include "../error.hpp"
#include "../log.hpp"
#include "acceptance.hpp"
#include "environment.hpp"
#include "openvino/backend.hpp"
#include "ort_backend.hpp"

namespace rgan {
namespace {

[[noreturn]] void refuse_argument(const std::string& what) {
  throw Error(RGAN_INVALID_ARGUMENT, what);
}

// Return the number of "cuda" or "cuda:N"; none if the device is not one of CUDA.
std::optional<int> find_cuda(const std::string& device) {
  if (device == "cuda") return 0;
  if (!device.starts_with("cuda:")) return std::nullopt;
  int number = -1;
  const char* end = device.data() + device.size();
  const auto [stop, problem] = std::from_chars(device.data() + 5, end, number);
  if (problem != std::errc{} || stop != end || number < 0) {
    refuse_argument("no such device; valid are auto, cpu, cuda and cuda:N");
  }
  return number;
}

std::shared_ptr<const Backend> make_onnxruntime(const Choice& choice, const std::string& device) {
  auto runtime = ort::Runtime::load(choice.engine == "openvino" ? "" : choice.runtime);
  const std::optional<int> cuda = find_cuda(device);
  if (cuda && !runtime->has_cuda()) {
    throw Error(RGAN_ENGINE_UNAVAILABLE,
                "this ONNX Runtime was built without CUDA; use the library of onnxruntime-gpu, or "
                "the device cpu");
  }
  const ort::Place place{.cuda = cuda, .threads = choice.threads};
  return std::make_shared<ort::OrtBackend>(std::move(runtime), place);
}

std::shared_ptr<const Backend> make_openvino(const Choice& choice, const std::string& device) {
  if (device != "cpu") throw Error(RGAN_ENGINE_UNAVAILABLE, "OpenVINO runs on cpu here");
  return std::make_shared<openvino::Backend>(openvino::Runtime::load(choice.runtime),
                                             choice.threads);
}

std::unique_ptr<Engine> open_on(const std::shared_ptr<const VerifiedModel>& model,
                                const Choice& choice, const std::string& engine,
                                const std::string& device) {
  const bool is_openvino = engine == "openvino";
  auto backend = is_openvino ? make_openvino(choice, device) : make_onnxruntime(choice, device);
  const bool is_exact = backend->is_reference() && model->precision == Precision::fp32;
  auto opened = std::make_unique<Engine>(model, std::move(backend));
  if (!is_exact) accept(*opened, make_onnxruntime(choice, "cpu"));
  return opened;
}

bool may_use_cuda(const Choice& choice) {
  try {
    return ort::Runtime::load(choice.runtime)->has_cuda();
  } catch (const Error&) {
    return false;
  }
}

// The engines and devices to try, in this order. A named one stands alone.
std::vector<std::pair<std::string, std::string>> list_candidates(const Choice& choice) {
  const bool any_device = choice.device == "auto";
  if (choice.engine == "openvino") return {{"openvino", any_device ? "cpu" : choice.device}};
  if (!any_device && choice.device != "cpu") return {{"onnxruntime", choice.device}};
  std::vector<std::pair<std::string, std::string>> found;
  if (any_device && may_use_cuda(choice)) found.emplace_back("onnxruntime", "cuda");
  if (choice.engine == "auto" && choice.runtime.empty()) found.emplace_back("openvino", "cpu");
  found.emplace_back("onnxruntime", "cpu");
  return found;
}

void check_precision(const VerifiedModel& model, const std::string& wanted) {
  if (wanted == "auto" || wanted == to_name(model.precision)) return;
  if (wanted != "fp32" && wanted != "fp16" && wanted != "int8") {
    refuse_argument("no such precision; valid are auto, fp32, fp16 and int8");
  }
  throw Error(RGAN_ENGINE_UNAVAILABLE, model.card.name + " is a model in " +
                                           to_name(model.precision) + ", not in " + wanted +
                                           "; open the file of that precision");
}

void check(const Choice& choice) {
  if (choice.engine != "auto" && choice.engine != "onnxruntime" && choice.engine != "openvino") {
    refuse_argument("no such engine; valid are auto, onnxruntime and openvino");
  }
  if (choice.device != "auto" && choice.device != "cpu" && !find_cuda(choice.device)) {
    refuse_argument("no such device; valid are auto, cpu, cuda and cuda:N");
  }
}

}  // namespace

std::unique_ptr<Engine> open_engine(const std::shared_ptr<const VerifiedModel>& model,
                                    const Choice& choice) {
  check(choice);
  check_precision(*model, choice.precision);
  // Like Python: nothing is told to the maker of ONNX Runtime, which reads this when it is loaded.
  // Set before any runtime is: each of them reads the environment in its own time.
  set_in_environment("ORT_DISABLE_TELEMETRY", "1");
  const auto candidates = list_candidates(choice);
  std::string problems;
  rgan_status status = RGAN_ENGINE_UNAVAILABLE;
  for (const auto& [engine, device] : candidates) {
    try {
      return open_on(model, choice, engine, device);
    } catch (const Error& error) {
      if (candidates.size() == 1) throw;
      if (error.status() == RGAN_OUT_OF_MEMORY) status = RGAN_OUT_OF_MEMORY;
      std::string problem = engine;
      problem.append(" on ").append(device).append(": ").append(error.what());
      log(RGAN_LOG_INFO, [&] { return "passed over: " + problem; });
      problems.append("\n  ").append(problem);
    }
  }
  throw Error(status, "no engine can run this model here:" + problems);
}

}  // namespace rgan
