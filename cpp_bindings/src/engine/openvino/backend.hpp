// OpenVINO on the CPU.
#pragma once

#include <memory>
#include <string>

#include "../session.hpp"
#include "api.hpp"

namespace rgan::openvino {

class Backend final : public rgan::Backend {
 public:
  // `threads` compute one slice.
  Backend(std::shared_ptr<const Runtime> runtime, int threads);

  [[nodiscard]] std::string version() const override;
  [[nodiscard]] std::string device() const override { return "cpu"; }
  // A graph is compiled for an image size and a pixel spacing.
  [[nodiscard]] SessionKey key_for(const Slice& slice) const override;
  [[nodiscard]] std::unique_ptr<Session> open(const VerifiedModel& model,
                                              const SessionKey& key) const override;

 private:
  std::shared_ptr<const Runtime> runtime_;
  int threads_;
};

}  // namespace rgan::openvino
