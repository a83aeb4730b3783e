#include <cstddef>
#include <cstdint>
#include <limits>
#include <stop_token>
#include <utility>
#include <vector>

#include "boundary.hpp"
#include "images.hpp"
#include "objects.hpp"
#include "rgan/pixels.hpp"
#include "rgan/rescale.hpp"
#include "rgan/slice_header.hpp"

namespace rgan::c_api {
namespace {

const rgan_harmonize_options kDefaults = RGAN_HARMONIZE_OPTIONS_INIT;

const rgan_harmonize_options& check_options(const rgan_harmonize_options* options) {
  if (options == nullptr) return kDefaults;
  require(options->size == sizeof *options, "options: set size to sizeof(rgan_harmonize_options)");
  require(options->reserved == 0, "options: reserved must be 0");
  return *options;
}

// Throws Error (RGAN_CANCELLED) if the caller has asked to stop before the call.
std::stop_token get_stop(const rgan_harmonize_options& options) {
  if (options.stop == nullptr) return {};
  std::stop_token stop = options.stop->source.get_token();
  if (stop.stop_requested()) throw Error(RGAN_CANCELLED, "stopped, as the caller asked");
  return stop;
}

bool goes_on(const rgan_harmonize_options& options, std::size_t done, std::size_t slices) {
  return options.progress == nullptr || options.progress(done, slices, options.user) != 0;
}

template <typename Stored>
void check_padding(const rgan_stored_format& format) {
  using Limits = std::numeric_limits<Stored>;
  const auto fits = [](std::int32_t value) {
    return value >= Limits::min() && value <= Limits::max();
  };
  require(fits(format.padding_value) && fits(format.padding_limit),
          "format: padding_value and padding_limit must be numbers of the type");
}

void check_format(const rgan_stored_format* format) {
  require(format != nullptr, "format must not be NULL");
  require(format->size == sizeof *format, "format: set size to sizeof(rgan_stored_format)");
  require(format->reserved == 0, "format: reserved must be 0");
  require(format->type == RGAN_INT16 || format->type == RGAN_UINT16,
          "format: type must be RGAN_INT16 or RGAN_UINT16");
  require(format->bits_stored >= 0 && format->bits_stored <= 16,
          "format: bits_stored must be from 1 to 16, or 0 for 16");
  require(is_usable_slope(format->slope),
          "format: slope must be set to RescaleSlope: finite, not 0, and not so large that HU were "
          "not finite");
  require(is_usable_intercept(format->intercept),
          "format: intercept must be finite, and not so large that HU were not finite");
  if (format->has_padding == 0) return;
  format->type == RGAN_INT16 ? check_padding<std::int16_t>(*format)
                             : check_padding<std::uint16_t>(*format);
}

// The header that a file with such slices would have, for pixel data that begins at once.
PixelHeader make_header(const rgan_stored_format& format, std::size_t rows, std::size_t columns) {
  PixelHeader header;
  header.format = {.rows = static_cast<int>(rows),
                   .columns = static_cast<int>(columns),
                   .bits_allocated = 16,
                   .bits_stored = format.bits_stored == 0 ? 16 : format.bits_stored,
                   .is_signed = format.type == RGAN_INT16};
  header.rescale = {.slope = format.slope, .intercept = format.intercept};
  if (format.has_padding != 0) {
    header.padding = Padding::between(format.padding_value, format.padding_limit);
  }
  header.pixel_data.length = static_cast<std::uint32_t>(header.format.bytes());
  return header;
}

// Harmonizes slices of stored values, one after the other, in memory that it reuses.
class StoredHarmonizer {
 public:
  StoredHarmonizer(Engine& engine, const PixelHeader& header, double pixel_spacing,
                   std::stop_token stop)
      : engine_(engine),
        header_(header),
        pixel_spacing_(pixel_spacing),
        stop_(std::move(stop)),
        hu_(header.format.pixels()) {}

  // Return how many pixels could not be stored as computed. `out` may be `cells`. `number` is that
  // of the slice, for messages.
  std::size_t harmonize(const std::uint8_t* cells, std::uint8_t* out, std::size_t number) {
    DecodeResult decoded;
    require_done(decode_pixels({cells, header_.format.bytes()}, header_, hu_.data(), stored_,
                               scratch_, decoded));
    fill_padding(header_, stored_, kPaddingHu, hu_.data());
    const Stack stack{.hu = hu_.data(),
                      .out = hu_.data(),
                      .first = number,
                      .slices = 1,
                      .rows = static_cast<std::size_t>(header_.format.rows),
                      .columns = static_cast<std::size_t>(header_.format.columns)};
    engine_.harmonize(stack, pixel_spacing_, [](std::size_t) { return true; }, stop_);
    std::size_t clips = 0;
    require_done(encode_pixels(hu_.data(), header_, stored_, out, clips));
    return clips;
  }

 private:
  static void require_done(const Status& status) {
    if (!status) throw Error(RGAN_INTERNAL, describe(status));
  }

  Engine& engine_;
  PixelHeader header_;
  double pixel_spacing_;
  std::stop_token stop_;
  std::vector<float> hu_;
  std::vector<std::uint8_t> stored_;
  std::vector<std::uint8_t> scratch_;
};

}  // namespace
}  // namespace rgan::c_api

using rgan::c_api::check_format;
using rgan::c_api::check_images;
using rgan::c_api::check_options;
using rgan::c_api::check_spacing;
using rgan::c_api::get_stop;
using rgan::c_api::goes_on;
using rgan::c_api::guarded;
using rgan::c_api::make_header;
using rgan::c_api::require;
using rgan::c_api::StoredHarmonizer;

rgan_status rgan_harmonize(rgan_engine* engine, const float* hu, size_t slices, size_t rows,
                           size_t columns, double pixel_spacing, float* out,
                           const rgan_harmonize_options* options) {
  return guarded([&] {
    require(engine != nullptr, "engine must not be NULL");
    const rgan_harmonize_options& chosen = check_options(options);
    check_images({.name = "hu",
                  .from = hu,
                  .out = out,
                  .slices = slices,
                  .rows = rows,
                  .columns = columns,
                  .pixel_bytes = sizeof(float)});
    check_spacing(engine->engine->card(), pixel_spacing, chosen.any_spacing != 0);
    const rgan::Stack stack{
        .hu = hu, .out = out, .slices = slices, .rows = rows, .columns = columns};
    const auto progress = [&](std::size_t done) { return goes_on(chosen, done, slices); };
    engine->engine->harmonize(stack, pixel_spacing, progress, get_stop(chosen));
  });
}

rgan_status rgan_harmonize_stored(rgan_engine* engine, const void* stored, size_t slices,
                                  size_t rows, size_t columns, const rgan_stored_format* format,
                                  double pixel_spacing, void* out, size_t* clips,
                                  const rgan_harmonize_options* options) {
  return guarded([&] {
    require(engine != nullptr, "engine must not be NULL");
    const rgan_harmonize_options& chosen = check_options(options);
    check_format(format);
    check_images({.name = "stored",
                  .from = stored,
                  .out = out,
                  .slices = slices,
                  .rows = rows,
                  .columns = columns,
                  .pixel_bytes = sizeof(std::uint16_t)});
    check_spacing(engine->engine->card(), pixel_spacing, chosen.any_spacing != 0);
    const rgan::PixelHeader header = make_header(*format, rows, columns);
    StoredHarmonizer harmonizer(*engine->engine, header, pixel_spacing, get_stop(chosen));
    const auto* from = static_cast<const std::uint8_t*>(stored);
    auto* to = static_cast<std::uint8_t*>(out);
    std::size_t clipped = 0;
    if (clips != nullptr) *clips = 0;
    for (std::size_t slice = 0; slice < slices; ++slice) {
      const std::size_t offset = slice * header.format.bytes();
      clipped += harmonizer.harmonize(from + offset, to + offset, slice);
      if (clips != nullptr) *clips = clipped;
      if (!goes_on(chosen, slice + 1, slices)) {
        throw rgan::Error(RGAN_CANCELLED, "stopped by the progress function");
      }
    }
  });
}
