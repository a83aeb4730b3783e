// Pads, infers, checks and crops: what turns a session of a runtime into harmonized slices.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "../model/verify.hpp"
#include "sessions.hpp"
#include "turns.hpp"

namespace rgan {

// A stack of slices, row by row, in HU.
struct Stack {
  const float* hu = nullptr;
  float* out = nullptr;
  std::size_t first = 0;  // what messages call the first slice
  std::size_t slices = 0;
  std::size_t rows = 0;
  std::size_t columns = 0;

  [[nodiscard]] std::size_t pixels() const noexcept { return rows * columns; }
};

// Called with the number of slices that are done; false stops.
using Progress = std::function<bool(std::size_t done)>;

// Any thread may call; calls wait for each other.
class Engine {
 public:
  // Throws Error if the backend cannot run the model.
  Engine(std::shared_ptr<const VerifiedModel> model, std::shared_ptr<const Backend> backend);

  [[nodiscard]] const VerifiedModel& model() const noexcept { return *model_; }
  [[nodiscard]] const Card& card() const noexcept { return model_->card; }
  [[nodiscard]] const Backend& backend() const noexcept { return *backend_; }
  // Runtime, device and precision in one line, for people.
  [[nodiscard]] const std::string& description() const noexcept { return description_; }

  // Harmonize each slice by itself. `pixel_spacing` in mm is not compared with the card. Throws
  // Error; slices before the one at fault are done, and the others are unchanged.
  void harmonize(const Stack& stack, double pixel_spacing, const Progress& progress,
                 const std::stop_token& stop);

  // Let open sessions go, while no call works.
  void close_sessions() noexcept { sessions_.clear(); }

 private:
  void harmonize_slice(const Stack& stack, std::size_t index, double pixel_spacing,
                       const std::stop_token& stop);
  void infer(const Slice& slice, const std::stop_token& stop);
  void run_session(const Slice& slice, const std::stop_token& stop);

  std::shared_ptr<const VerifiedModel> model_;
  std::shared_ptr<const Backend> backend_;
  std::string description_;
  Turns turns_;  // one of them is taken while the members below are used
  Sessions sessions_;
  std::vector<float> padded_;
  std::vector<float> harmonized_;
};

}  // namespace rgan
