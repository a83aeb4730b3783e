// What the parts of the Python module share. Arrays belong to Python and are borrowed for a call.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

// A C-contiguous NumPy array: one slice, `[H, W]`, or a stack of slices, `[N, H, W]`.
template <typename Value>
using Slice = nanobind::ndarray<Value, nanobind::numpy, nanobind::ndim<2>, nanobind::c_contig,
                                nanobind::device::cpu>;
template <typename Value>
using Stack = nanobind::ndarray<Value, nanobind::numpy, nanobind::ndim<3>, nanobind::c_contig,
                                nanobind::device::cpu>;

void define_heads(nanobind::module_& module);  // needs the ThreadPool of define_dicom
void define_dicom(nanobind::module_& module);
void define_model(nanobind::module_& module);
