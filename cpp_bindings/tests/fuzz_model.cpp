// For libFuzzer: opens any bytes as a model, through the C interface and as a card.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <utility>
#include <vector>

#include "../src/model/card.hpp"
#include "../src/model/format_error.hpp"
#include "../src/model/onnx.hpp"
#include "../src/model/reference.hpp"
#include "../src/model/verify.hpp"
#include "rgan/rgan.h"

namespace {

void use_model(const rgan_model* model) {
  rgan_card card = RGAN_CARD_INIT;
  if (rgan_model_card(model, &card) != RGAN_OK) std::abort();
  if (card.source_kernel_count == 0 || std::strlen(card.target_kernel) == 0) std::abort();
  if (std::strlen(rgan_model_sha256(model)) != 64) std::abort();
  if (std::strlen(rgan_model_card_json(model)) == 0) std::abort();
}

// A card by itself, so that the fuzzer need not find the lengths around it.
void use_card(const std::vector<char>& text) {
  try {
    const rgan::Card card = rgan::parse_card({text.data(), text.size()});
    if (card.format != 1 && card.format != 2) std::abort();
  } catch (const rgan::FormatError&) {
    return;
  }
}

// The graph that engines of lower precision are compared with: it must be one that can be read.
void use_reference(std::vector<std::uint8_t> content) {
  const rgan::VerifiedModel model = rgan::verify(std::move(content));
  try {
    if (rgan::onnx::parse(rgan::to_float32(model).content).graph.inputs.empty()) std::abort();
  } catch (const rgan::FormatError&) {
    if (model.precision != rgan::Precision::int8) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  use_card({data, data + size});
  rgan_model* model = nullptr;
  const std::vector<std::uint8_t> content(data, data + size);
  switch (rgan_model_open_memory(content.empty() ? data : content.data(), size, nullptr, &model)) {
    case RGAN_OK:
      use_model(model);
      use_reference(content);
      break;
    case RGAN_MODEL_FORMAT:
      if (std::strlen(rgan_last_error()) == 0) std::abort();
      break;
    case RGAN_INVALID_ARGUMENT:
      if (data != nullptr) std::abort();
      break;
    default:
      std::abort();
  }
  rgan_model_release(model);
  return 0;
}
