#include "engine.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <new>
#include <utility>

#include "../error.hpp"
#include "../log.hpp"
#include "rgan/rescale.hpp"

namespace rgan {
namespace {

std::size_t round_up(std::size_t size, int multiple) {
  const auto step = static_cast<std::size_t>(multiple);
  return (size + step - 1) / step * step;
}

// Copy a slice into a larger one, and repeat its last column and its last row.
void pad(const float* hu, std::size_t rows, std::size_t columns, std::size_t padded_columns,
         std::vector<float>& padded) {
  float* row = padded.data();
  for (std::size_t y = 0; y < padded.size() / padded_columns; ++y, row += padded_columns) {
    const float* from = hu + (std::min(y, rows - 1) * columns);
    std::copy_n(from, columns, row);
    std::fill(row + columns, row + padded_columns, from[columns - 1]);
  }
}

bool is_constant(const Extremes& found) { return found.lowest == found.highest; }

std::string describe_slice(std::size_t index) { return "slice " + std::to_string(index) + ": "; }

std::string describe_session(const Card& card, const SessionKey& key) {
  std::array<char, 32> spacing{};
  if (key.pixel_spacing) {
    std::snprintf(spacing.data(), spacing.size(), " for pixels of %g mm", *key.pixel_spacing);
  }
  return card.name + ": a session is opened" + spacing.data();
}

}  // namespace

Engine::Engine(std::shared_ptr<const VerifiedModel> model, std::shared_ptr<const Backend> backend)
    : model_(std::move(model)),
      backend_(std::move(backend)),
      description_(backend_->version() + " (" + backend_->device() + ", " +
                   to_name(model_->precision) + ")"),
      sessions_([this](const SessionKey& key) {
        log(RGAN_LOG_DEBUG, [&] { return describe_session(card(), key); });
        return backend_->open(*model_, key);
      }) {
  Slice slice{.rows = card().multiple, .columns = card().multiple};
  if (card().pixel_spacing) {
    slice.pixel_spacing = static_cast<float>(card().pixel_spacing->reference);
  }
  // Fails now if the runtime cannot run this graph.
  [[maybe_unused]] const Session& session = sessions_.get(backend_->key_for(slice));
}

void Engine::harmonize(const Stack& stack, double pixel_spacing, const Progress& progress,
                       const std::stop_token& stop) {
  if (!turns_.begin(stop)) throw Error(RGAN_CANCELLED, "stopped, as the caller asked");
  const std::unique_ptr<Turns, void (*)(Turns*)> turn(&turns_, [](Turns* turns) { turns->end(); });
  for (std::size_t index = 0; index < stack.slices; ++index) {
    if (stop.stop_requested()) throw Error(RGAN_CANCELLED, "stopped, as the caller asked");
    harmonize_slice(stack, index, pixel_spacing, stop);
    if (!progress(index + 1)) throw Error(RGAN_CANCELLED, "stopped by the progress function");
  }
}

void Engine::harmonize_slice(const Stack& stack, std::size_t index, double pixel_spacing,
                             const std::stop_token& stop) {
  const float* hu = stack.hu + (index * stack.pixels());
  const Extremes before = find_extremes(hu, stack.pixels());
  if (std::isnan(before.lowest)) {
    throw Error(RGAN_INFERENCE,
                describe_slice(stack.first + index) + "the input holds NaN or infinite values");
  }
  const std::size_t rows = round_up(stack.rows, card().multiple);
  const std::size_t columns = round_up(stack.columns, card().multiple);
  padded_.resize(rows * columns);
  harmonized_.resize(padded_.size());
  pad(hu, stack.rows, stack.columns, columns, padded_);
  Slice slice{.hu = padded_.data(),
              .out = harmonized_.data(),
              .rows = static_cast<std::int64_t>(rows),
              .columns = static_cast<std::int64_t>(columns)};
  if (card().pixel_spacing) slice.pixel_spacing = static_cast<float>(pixel_spacing);
  infer(slice, stop);
  const Extremes after = find_extremes(harmonized_.data(), harmonized_.size());
  if (std::isnan(after.lowest)) {
    throw Error(RGAN_INFERENCE,
                describe_slice(stack.first + index) + "the output holds NaN or infinite values");
  }
  if (is_constant(after) && !is_constant(before)) {
    throw Error(RGAN_INFERENCE, describe_slice(stack.first + index) +
                                    "the output is constant, but the input is not");
  }
  float* out = stack.out + (index * stack.pixels());
  for (std::size_t y = 0; y < stack.rows; ++y) {
    std::copy_n(harmonized_.data() + (y * columns), stack.columns, out + (y * stack.columns));
  }
}

void Engine::infer(const Slice& slice, const std::stop_token& stop) {
  try {
    run_session(slice, stop);
    return;
  } catch (const Error& error) {
    if (error.status() != RGAN_OUT_OF_MEMORY || !sessions_.clear()) throw;
  } catch (const std::bad_alloc&) {
    if (!sessions_.clear()) throw;
  }
  log(RGAN_LOG_WARNING, [&] {
    return card().name +
           ": memory is short, so all open sessions were let go; the slice is tried once more";
  });
  run_session(slice, stop);
}

void Engine::run_session(const Slice& slice, const std::stop_token& stop) {
  try {
    sessions_.get(backend_->key_for(slice)).run(slice, stop);
  } catch (const Error& error) {
    // A session that cannot be opened now: the engine as such is there.
    if (error.status() == RGAN_ENGINE_UNAVAILABLE) throw Error(RGAN_INFERENCE, error.what());
    throw;
  }
}

}  // namespace rgan
