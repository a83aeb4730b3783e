// The parts of the Python module.
#pragma once

#include <nanobind/nanobind.h>

void define_dicom(nanobind::module_& module);
