// What an engine needs of a runtime: sessions that harmonize one slice at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>

#include "../model/verify.hpp"

namespace rgan {

// A slice whose size suits the model, row by row, in HU.
struct Slice {
  float* hu = nullptr;
  float* out = nullptr;
  std::int64_t rows = 0;
  std::int64_t columns = 0;
  std::optional<float> pixel_spacing = std::nullopt;  // in mm; none for models of format 1
};

// One model in a runtime, ready to run. Not for several threads at once.
class Session {
 public:
  Session() = default;
  Session(const Session&) = delete;
  Session(Session&&) = delete;
  Session& operator=(const Session&) = delete;
  Session& operator=(Session&&) = delete;
  virtual ~Session() = default;

  // Throws Error (RGAN_INFERENCE, RGAN_OUT_OF_MEMORY, or RGAN_CANCELLED once `stop` is requested).
  virtual void run(const Slice& slice, const std::stop_token& stop) = 0;
};

// What a session is made for. What does not matter to a runtime is left out.
struct SessionKey {
  std::optional<float> pixel_spacing = std::nullopt;
  std::int64_t rows = 0;
  std::int64_t columns = 0;

  bool operator==(const SessionKey&) const = default;
};

// A runtime on one device. Any number of threads may use it.
class Backend {
 public:
  Backend() = default;
  Backend(const Backend&) = delete;
  Backend(Backend&&) = delete;
  Backend& operator=(const Backend&) = delete;
  Backend& operator=(Backend&&) = delete;
  virtual ~Backend() = default;

  // Such as "onnxruntime 1.32.0".
  [[nodiscard]] virtual std::string version() const = 0;
  // "cpu", or such as "cuda:0".
  [[nodiscard]] virtual std::string device() const = 0;
  // Whether float32 models run as the reference does, with which all else is compared.
  [[nodiscard]] virtual bool is_reference() const noexcept { return false; }

  // Return the key of the session that a slice needs.
  [[nodiscard]] virtual SessionKey key_for(const Slice& slice) const = 0;
  // Throws Error (RGAN_ENGINE_UNAVAILABLE or RGAN_OUT_OF_MEMORY).
  [[nodiscard]] virtual std::unique_ptr<Session> open(const VerifiedModel& model,
                                                      const SessionKey& key) const = 0;
};

}  // namespace rgan
