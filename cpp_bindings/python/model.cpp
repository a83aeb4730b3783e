// rgan_sdk._core: the check that a model file passes before it is read.

#include <nanobind/nanobind.h>

#include <cstdint>

#include "../src/model/format_error.hpp"
#include "../src/model/well_formed.hpp"
#include "bindings.hpp"

namespace nb = nanobind;

namespace {

void require_well_formed(const nb::bytes& content) {
  const auto* bytes = static_cast<const std::uint8_t*>(content.data());
  try {
    const nb::gil_scoped_release release;
    rgan::onnx::require_well_formed({bytes, content.size()});
  } catch (const rgan::FormatError& error) {
    throw nb::value_error(error.what());
  }
}

}  // namespace

void define_model(nb::module_& module) {
  module.def("require_well_formed", &require_well_formed, nb::arg("content"),
             "Raise ValueError if bytes are no ONNX file, or one of more fields than a model has.");
}
