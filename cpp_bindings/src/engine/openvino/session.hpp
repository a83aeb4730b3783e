// One model in OpenVINO, compiled for one image size.
#pragma once

#include <memory>

#include "../session.hpp"
#include "api.hpp"
#include "rgan/element.hpp"

namespace rgan::openvino {

class Session final : public rgan::Session {
 public:
  // `content` holds the pixel spacing. Throws Error (RGAN_ENGINE_UNAVAILABLE or RGAN_OUT_OF_MEMORY)
  // if the runtime cannot run it.
  Session(std::shared_ptr<const Runtime> runtime, Bytes content, std::int64_t rows,
          std::int64_t columns, int threads);

  void run(const Slice& slice, const std::stop_token& stop) override;

 private:
  template <typename Type>
  using Owned = std::unique_ptr<Type, void (*)(Type*)>;

  void require(Status status) const;
  [[nodiscard]] Owned<Tensor> make_tensor(float* data, const Slice& slice) const;

  std::shared_ptr<const Runtime> runtime_;
  Owned<CompiledModel> compiled_;
  Owned<InferRequest> request_;
};

}  // namespace rgan::openvino
