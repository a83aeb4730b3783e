#include "backend.hpp"

#include <utility>

#include "../binding.hpp"
#include "session.hpp"

namespace rgan::openvino {

Backend::Backend(std::shared_ptr<const Runtime> runtime, int threads)
    : runtime_(std::move(runtime)), threads_(threads) {}

std::string Backend::version() const { return "openvino " + runtime_->version(); }

SessionKey Backend::key_for(const Slice& slice) const {
  return {.pixel_spacing = slice.pixel_spacing, .rows = slice.rows, .columns = slice.columns};
}

std::unique_ptr<rgan::Session> Backend::open(const VerifiedModel& model,
                                             const SessionKey& key) const {
  const auto open = [&](Bytes content) {
    return std::make_unique<Session>(runtime_, content, key.rows, key.columns, threads_);
  };
  if (!key.pixel_spacing) return open(model.content);
  return open(bind_pixel_spacing(model.content, *key.pixel_spacing));
}

}  // namespace rgan::openvino
