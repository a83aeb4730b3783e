#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

#include "../error.hpp"
#include "../log.hpp"
#include "boundary.hpp"
#include "cores.hpp"
#include "objects.hpp"

namespace rgan::c_api {
namespace {

bool is_one_of(const char* name, std::initializer_list<std::string_view> names) {
  return name == nullptr || std::ranges::find(names, name) != names.end();
}

std::string describe(const rgan_engine& engine, int threads) {
  const Card& card = engine.engine.card();
  return card.name + " " + card.version + " runs with " + engine.engine.description() + ", " +
         std::to_string(threads) + (threads == 1 ? " thread" : " threads");
}

}  // namespace
}  // namespace rgan::c_api

using rgan::c_api::guarded;
using rgan::c_api::require;

rgan_status rgan_engine_create(const rgan_model* model, const rgan_engine_options* options,
                               rgan_engine** engine) {
  return guarded([&] {
    require(model != nullptr && engine != nullptr, "model and engine must not be NULL");
    const rgan_engine_options defaults = RGAN_ENGINE_OPTIONS_INIT;
    const rgan_engine_options& chosen = options == nullptr ? defaults : *options;
    require(chosen.size == sizeof chosen, "options: set size to sizeof(rgan_engine_options)");
    require(rgan::c_api::is_one_of(chosen.engine, {"auto", "onnxruntime"}),
            "no such engine; valid are auto and onnxruntime");
    require(rgan::c_api::is_one_of(chosen.device, {"auto", "cpu"}),
            "no such device; valid are auto and cpu");
    const int threads = rgan::c_api::choose_threads(chosen.threads);
    auto runtime = rgan::ort::Runtime::load(chosen.runtime == nullptr ? "" : chosen.runtime);
    *engine = new rgan_engine{{model->verified, std::move(runtime), threads}};
    rgan::log(RGAN_LOG_INFO, [&] { return rgan::c_api::describe(**engine, threads); });
  });
}

const char* rgan_engine_description(const rgan_engine* engine) {
  return engine == nullptr ? "" : engine->engine.description().c_str();
}

// NOLINTNEXTLINE(misc-const-correctness): what is released belongs to the caller
void rgan_engine_release(rgan_engine* engine) { delete engine; }

rgan_status rgan_stop_create(rgan_stop** stop) {
  return guarded([&] {
    require(stop != nullptr, "stop must not be NULL");
    *stop = new rgan_stop;
  });
}

// NOLINTNEXTLINE(misc-const-correctness): it changes what it is asked to stop
void rgan_stop_request(rgan_stop* stop) {
  if (stop != nullptr) stop->source.request_stop();
}

// NOLINTNEXTLINE(misc-const-correctness): what is released belongs to the caller
void rgan_stop_release(rgan_stop* stop) { delete stop; }
