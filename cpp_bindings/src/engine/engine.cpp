#include "engine.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "../error.hpp"
#include "binding.hpp"
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

std::string describe_slice(std::size_t slice) { return "slice " + std::to_string(slice) + ": "; }

}  // namespace

Engine::Engine(std::shared_ptr<const VerifiedModel> model,
               std::shared_ptr<const ort::Runtime> runtime, int threads)
    : model_(std::move(model)),
      runtime_(std::move(runtime)),
      threads_(threads),
      description_("onnxruntime " + runtime_->version() + " (cpu, " + to_name(model_->precision) +
                   ")"),
      sessions_([this](Sessions::Key key) { return open_session(key); }) {
  Sessions::Key key;
  if (card().pixel_spacing) key = static_cast<float>(card().pixel_spacing->reference);
  // Fails now if the runtime cannot run this graph.
  [[maybe_unused]] const ort::OrtSession& session = sessions_.get(key);
}

std::unique_ptr<ort::OrtSession> Engine::open_session(Sessions::Key key) const {
  if (!key) return std::make_unique<ort::OrtSession>(runtime_, model_->content, threads_);
  return std::make_unique<ort::OrtSession>(runtime_, bind_pixel_spacing(model_->content, *key),
                                           threads_);
}

void Engine::harmonize(const Stack& stack, double pixel_spacing, const Progress& progress,
                       const std::stop_token& stop) {
  Sessions::Key key;
  if (card().pixel_spacing) key = static_cast<float>(pixel_spacing);
  if (!turns_.begin(stop)) throw Error(RGAN_CANCELLED, "stopped, as the caller asked");
  const std::unique_ptr<Turns, void (*)(Turns*)> turn(&turns_, [](Turns* turns) { turns->end(); });
  for (std::size_t slice = 0; slice < stack.slices; ++slice) {
    if (stop.stop_requested()) throw Error(RGAN_CANCELLED, "stopped, as the caller asked");
    harmonize_slice(stack, slice, key, stop);
    if (!progress(slice + 1)) throw Error(RGAN_CANCELLED, "stopped by the progress function");
  }
}

void Engine::harmonize_slice(const Stack& stack, std::size_t slice, Sessions::Key key,
                             const std::stop_token& stop) {
  const float* hu = stack.hu + (slice * stack.pixels());
  const Extremes before = find_extremes(hu, stack.pixels());
  if (std::isnan(before.lowest)) {
    throw Error(RGAN_INFERENCE, describe_slice(slice) + "the input holds NaN or infinite values");
  }
  const std::size_t rows = round_up(stack.rows, card().multiple);
  const std::size_t columns = round_up(stack.columns, card().multiple);
  padded_.resize(rows * columns);
  harmonized_.resize(padded_.size());
  pad(hu, stack.rows, stack.columns, columns, padded_);
  infer(key, rows, columns, stop);
  const Extremes after = find_extremes(harmonized_.data(), harmonized_.size());
  if (std::isnan(after.lowest)) {
    throw Error(RGAN_INFERENCE, describe_slice(slice) + "the output holds NaN or infinite values");
  }
  if (is_constant(after) && !is_constant(before)) {
    throw Error(RGAN_INFERENCE,
                describe_slice(slice) + "the output is constant, but the input is not");
  }
  float* out = stack.out + (slice * stack.pixels());
  for (std::size_t y = 0; y < stack.rows; ++y) {
    std::copy_n(harmonized_.data() + (y * columns), stack.columns, out + (y * stack.columns));
  }
}

void Engine::infer(Sessions::Key key, std::size_t rows, std::size_t columns,
                   const std::stop_token& stop) {
  const auto run = [&] {
    sessions_.get(key).run(padded_.data(), harmonized_.data(), static_cast<std::int64_t>(rows),
                           static_cast<std::int64_t>(columns), stop);
  };
  try {
    run();
    return;
  } catch (const Error& error) {
    if (error.status() != RGAN_OUT_OF_MEMORY || !sessions_.clear()) throw;
  }
  run();  // other sessions have let their memory go
}

}  // namespace rgan
