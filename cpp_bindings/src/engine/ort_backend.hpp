// ONNX Runtime on the CPU or on CUDA.
#pragma once

#include <memory>
#include <string>

#include "ort_session.hpp"

namespace rgan::ort {

class OrtBackend final : public Backend {
 public:
  OrtBackend(std::shared_ptr<const Runtime> runtime, const Place& place);

  [[nodiscard]] std::string version() const override;
  [[nodiscard]] std::string device() const override;
  [[nodiscard]] bool is_reference() const noexcept override { return !place_.cuda; }
  // On a CPU each pixel spacing has a session of its own, with the weights for it as constants.
  [[nodiscard]] SessionKey key_for(const Slice& slice) const override;
  [[nodiscard]] std::unique_ptr<rgan::Session> open(const VerifiedModel& model,
                                                    const SessionKey& key) const override;

 private:
  std::shared_ptr<const Runtime> runtime_;
  Place place_;
};

}  // namespace rgan::ort
