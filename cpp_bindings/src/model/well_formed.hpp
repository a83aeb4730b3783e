// Whether all messages of an ONNX file are well-formed.
#pragma once

#include "rgan/element.hpp"

namespace rgan::onnx {

// Walk through a file and all messages in it. Throws FormatError at the first that is damaged, and
// where they are nested more deeply than Google's parsers allow.
void require_well_formed(Bytes file);

}  // namespace rgan::onnx
