#include <sched.h>

#include <cmath>
#include <cstdio>
#include <functional>
#include <limits>
#include <string>
#include <utility>

#include "../engine/choice.hpp"
#include "../error.hpp"
#include "boundary.hpp"
#include "objects.hpp"

namespace rgan::c_api {
namespace {

// Of a slice, so that its bytes can be counted.
constexpr std::size_t kMostPixels = std::size_t{1} << 28;

int count_usable_cores() {
  cpu_set_t cores;
  return ::sched_getaffinity(0, sizeof cores, &cores) == 0 ? CPU_COUNT(&cores) : 1;
}

std::string name_or_auto(const char* name) { return name == nullptr ? "auto" : name; }

void check_spacing(const Card& card, double pixel_spacing, bool accepts_any) {
  const auto spacing = static_cast<float>(pixel_spacing);
  require(std::isfinite(spacing) && spacing > 0,
          "pixel_spacing must be a finite positive number in mm");
  if (accepts_any) return;
  if (!card.pixel_spacing) {
    throw Error(RGAN_OUTSIDE_DOMAIN,
                card.name +
                    ": this model is of format 1 and states no pixel spacings; accept that "
                    "with any_spacing, or export the model again");
  }
  if (!card.pixel_spacing->contains(pixel_spacing)) {
    char text[200];
    std::snprintf(text, sizeof text,
                  " is made for pixel spacings from %g to %g mm, not for %g mm; accept that with "
                  "any_spacing",
                  card.pixel_spacing->min, card.pixel_spacing->max, pixel_spacing);
    throw Error(RGAN_OUTSIDE_DOMAIN, card.name + text);
  }
}

void check_images(const Stack& stack) {
  require(stack.hu != nullptr && stack.out != nullptr, "hu and out must not be NULL");
  require(stack.rows > 0 && stack.columns > 0, "rows and columns must be positive");
  require(stack.columns <= kMostPixels / stack.rows, "a slice has too many pixels");
  const std::size_t most = std::numeric_limits<std::ptrdiff_t>::max() / sizeof(float);
  require(stack.slices <= most / stack.pixels(), "there are too many slices");
  const std::size_t size = stack.slices * stack.pixels();
  const std::less_equal<> is_before;
  const bool is_apart =
      is_before(stack.hu + size, stack.out) || is_before(stack.out + size, stack.hu);
  require(is_apart || stack.hu == stack.out,
          "out overlaps with hu; pass hu itself or other memory");
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
    require(chosen.threads >= 0, "threads must not be negative");
    const int threads = chosen.threads == 0 ? rgan::c_api::count_usable_cores() : chosen.threads;
    auto opened = rgan::open_engine(model->verified,
                                    {.engine = rgan::c_api::name_or_auto(chosen.engine),
                                     .device = rgan::c_api::name_or_auto(chosen.device),
                                     .precision = rgan::c_api::name_or_auto(chosen.precision),
                                     .runtime = chosen.runtime == nullptr ? "" : chosen.runtime,
                                     .threads = threads});
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

rgan_status rgan_harmonize(rgan_engine* engine, const float* hu, size_t slices, size_t rows,
                           size_t columns, double pixel_spacing, float* out,
                           const rgan_harmonize_options* options) {
  return guarded([&] {
    require(engine != nullptr, "engine must not be NULL");
    const rgan_harmonize_options defaults = RGAN_HARMONIZE_OPTIONS_INIT;
    const rgan_harmonize_options& chosen = options == nullptr ? defaults : *options;
    require(chosen.size == sizeof chosen, "options: set size to sizeof(rgan_harmonize_options)");
    const rgan::Stack stack{
        .hu = hu, .out = out, .slices = slices, .rows = rows, .columns = columns};
    rgan::c_api::check_images(stack);
    rgan::c_api::check_spacing(engine->engine->card(), pixel_spacing, chosen.any_spacing != 0);
    const auto progress = [&](std::size_t done) {
      return chosen.progress == nullptr || chosen.progress(done, slices, chosen.user) != 0;
    };
    const std::stop_token stop =
        chosen.stop == nullptr ? std::stop_token{} : chosen.stop->source.get_token();
    engine->engine->harmonize(stack, pixel_spacing, progress, stop);
  });
}
