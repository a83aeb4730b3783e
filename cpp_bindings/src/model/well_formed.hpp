// Whether all messages of an ONNX file are well-formed.
#pragma once

#include "rgan/element.hpp"

namespace rgan::onnx {

// Walk through a file and all messages in it. Throws FormatError at the first that is damaged,
// where they are nested more deeply than Google's parsers allow, and at more fields than a model
// has: of two bytes in the file, each takes some hundred in memory once it is read.
void require_well_formed(Bytes file);

}  // namespace rgan::onnx
