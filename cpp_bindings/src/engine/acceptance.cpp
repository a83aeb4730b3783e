#include "acceptance.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <utility>
#include <vector>

#include "../error.hpp"
#include "../model/reference.hpp"
#include "test_slice.hpp"

namespace rgan {
namespace {

constexpr std::size_t kSize = 256;

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

std::vector<double> find_spacings(const Card& card) {
  if (!card.pixel_spacing) return {1};  // models of format 1 take no notice of it
  return {card.pixel_spacing->reference, card.pixel_spacing->min, card.pixel_spacing->max};
}

std::vector<float> harmonize(Engine& engine, const std::vector<float>& hu, double pixel_spacing) {
  std::vector<float> out(hu.size());
  const Stack stack{
      .hu = hu.data(), .out = out.data(), .slices = 1, .rows = kSize, .columns = kSize};
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

[[noreturn]] void refuse(const Engine& engine, const ErrorBound& found, const ErrorBound& bound) {
  char text[300];
  std::snprintf(text, sizeof text,
                " deviates from the float32 model by up to %.4f HU (99.9th percentile %.4f); "
                "allowed are %g and %g. Use another engine, device or precision",
                found.max, found.p999, bound.max, bound.p999);
  throw Error(RGAN_ACCURACY, engine.card().name + ": " + engine.description() + text);
}

}  // namespace

void accept(Engine& engine, std::shared_ptr<const Backend> reference) {
  Engine exact(std::make_shared<VerifiedModel>(to_float32(engine.model())), std::move(reference));
  const ErrorBound bound = find_bound(engine.model());
  const std::vector<float> hu = make_test_slice(kSize);
  for (const double spacing : find_spacings(engine.card())) {
    const ErrorBound found = compare(harmonize(engine, hu, spacing), harmonize(exact, hu, spacing));
    if (found.max > bound.max || found.p999 > bound.p999) refuse(engine, found, bound);
  }
}

}  // namespace rgan
