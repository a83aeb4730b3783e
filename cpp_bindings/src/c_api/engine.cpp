#include <string>
#include <utility>

#include "../engine/choice.hpp"
#include "../error.hpp"
#include "../log.hpp"
#include "boundary.hpp"
#include "cores.hpp"
#include "objects.hpp"

namespace rgan::c_api {
namespace {

std::string name_or_auto(const char* name) { return name == nullptr ? "auto" : name; }

std::string describe(const Engine& engine) {
  const Card& card = engine.card();
  return card.name + " " + card.version + " runs with " + engine.description();
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
    auto opened = rgan::open_engine(model->verified,
                                    {.engine = rgan::c_api::name_or_auto(chosen.engine),
                                     .device = rgan::c_api::name_or_auto(chosen.device),
                                     .precision = rgan::c_api::name_or_auto(chosen.precision),
                                     .runtime = chosen.runtime == nullptr ? "" : chosen.runtime,
                                     .threads = rgan::c_api::choose_threads(chosen.threads)});
    rgan::log(RGAN_LOG_INFO, [&] { return rgan::c_api::describe(*opened); });
    *engine = new rgan_engine{std::move(opened)};
  });
}

const char* rgan_engine_description(const rgan_engine* engine) {
  return engine == nullptr ? "" : engine->engine->description().c_str();
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
