#include "ort_backend.hpp"

#include <utility>

#include "binding.hpp"

namespace rgan::ort {

OrtBackend::OrtBackend(std::shared_ptr<const Runtime> runtime, const Place& place)
    : runtime_(std::move(runtime)), place_(place) {}

std::string OrtBackend::version() const { return "onnxruntime " + runtime_->version(); }

std::string OrtBackend::device() const {
  return place_.cuda ? "cuda:" + std::to_string(*place_.cuda) : "cpu";
}

SessionKey OrtBackend::key_for(const Slice& slice) const {
  if (place_.cuda) return {};
  return {.pixel_spacing = slice.pixel_spacing};
}

std::unique_ptr<rgan::Session> OrtBackend::open(const VerifiedModel& model,
                                                const SessionKey& key) const {
  const auto open = [&](Bytes content) {
    return std::make_unique<OrtSession>(runtime_, content, model.precision, place_);
  };
  if (!key.pixel_spacing) return open(model.content);
  return open(bind_pixel_spacing(model.content, *key.pixel_spacing));
}

}  // namespace rgan::ort
