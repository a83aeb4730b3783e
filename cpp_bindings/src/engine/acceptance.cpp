#include "acceptance.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <utility>
#include <vector>

#include "../error.hpp"
#include "../model/format_error.hpp"
#include "../model/reference.hpp"
#include "test_slice.hpp"

namespace rgan {
namespace {

// On a GPU the size of real slices, as libraries choose their ways by size. On a CPU that would
// take long, and they don't.
std::size_t find_size(const Backend& backend) { return backend.device() == "cpu" ? 256 : 512; }

// The bounds where the card states none: those of Python (rgan_sdk.engines.acceptance).
ErrorBound find_bound(const VerifiedModel& model) {
  const auto stated = model.card.error_bounds.find(to_name(model.precision));
  if (stated != model.card.error_bounds.end()) return stated->second;
  switch (model.precision) {
    case Precision::fp32:
      break;
    case Precision::fp16:
      return {.max = 5, .p999 = 1};
    case Precision::int8:
      return {.max = 60, .p999 = 10};
  }
  return {.max = 0.5, .p999 = 0.05};
}

struct Image {
  std::vector<float> pixels;
  std::size_t rows = 0;
  std::size_t columns = 0;
};

std::vector<double> find_spacings(const Card& card) {
  if (!card.pixel_spacing) return {1};  // models of format 1 take no notice of it
  return {card.pixel_spacing->reference, card.pixel_spacing->min, card.pixel_spacing->max};
}

std::vector<float> harmonize(Engine& engine, const Image& hu, double pixel_spacing) {
  std::vector<float> out(hu.rows * hu.columns);
  const Stack stack{.hu = hu.pixels.data(),
                    .out = out.data(),
                    .slices = 1,
                    .rows = hu.rows,
                    .columns = hu.columns};
  engine.harmonize(stack, pixel_spacing, [](std::size_t) { return true; }, {});
  return out;
}

// Return the largest difference, and the 99.9th percentile.
ErrorBound compare(std::vector<float> out, const std::vector<float>& expected) {
  std::ranges::transform(out, expected, out.begin(),
                         [](float one, float other) { return std::abs(one - other); });
  const auto percentile = out.begin() + static_cast<std::ptrdiff_t>(out.size() * 999 / 1000);
  std::ranges::nth_element(out, percentile);
  return {.max = *std::max_element(percentile, out.end()), .p999 = *percentile};
}

// Return the model that an engine is compared with.
std::shared_ptr<const VerifiedModel> make_exact(const VerifiedModel& model) {
  try {
    return std::make_shared<VerifiedModel>(to_float32(model));
  } catch (const FormatError& error) {
    throw Error(RGAN_ENGINE_UNAVAILABLE,
                model.card.name + ": the self-test has nothing to compare with: " + error.what());
  }
}

[[noreturn]] void refuse(const Engine& engine, const ErrorBound& found, const ErrorBound& bound) {
  char text[400];
  std::snprintf(text, sizeof text,
                " deviates from the float32 model by up to %.4f HU (99.9th percentile %.4f); "
                "allowed are %g and %g. Use another engine, device or precision%s",
                found.max, found.p999, bound.max, bound.p999,
                engine.backend().device() == "cpu" ? "" : ", or set NVIDIA_TF32_OVERRIDE=0");
  throw Error(RGAN_ACCURACY, engine.card().name + ": " + engine.description() + text);
}

}  // namespace

void accept(Engine& engine, std::shared_ptr<const Backend> reference) {
  Engine exact(make_exact(engine.model()), std::move(reference));
  const ErrorBound bound = find_bound(engine.model());
  const auto test = [&](const Image& hu, double spacing) {
    const ErrorBound found = compare(harmonize(engine, hu, spacing), harmonize(exact, hu, spacing));
    if (found.max > bound.max || found.p999 > bound.p999) refuse(engine, found, bound);
  };
  const std::size_t size = find_size(engine.backend());
  const Image hu{.pixels = make_test_slice(size), .rows = size, .columns = size};
  const std::vector<double> spacings = find_spacings(engine.card());
  for (const double spacing : spacings) test(hu, spacing);
  test({.pixels = hu.pixels, .rows = size / 2, .columns = size}, spacings.front());
  // On a CPU each of these has opened a session of its own.
  if (engine.backend().device() == "cpu") engine.close_sessions();
}

}  // namespace rgan
