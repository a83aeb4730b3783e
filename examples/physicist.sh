#!/usr/bin/env bash
# Make a model from two groups of scans, and see what it is worth: physicist.sh [CAME STUDY]
# CAME has the kernel that came, STUDY the one that the study needs; the patients may differ.
# Without arguments it makes phantoms in the current folder, and works on those.
set -euo pipefail

features=() # all of them
if [ $# = 0 ]; then
  set -- came study
  rgan-harmonize sample came --slices 4 --model b40f-to-b70f
  rgan-harmonize sample study --slices 4 --model b70f-to-b40f
  printf 'imageType: {Original: {}}\nfeatureClass: {firstorder: [Mean, Entropy], glcm: [Contrast]}\n' >few.yaml
  features=(--parameters few.yaml --regions 4)
fi
came=$1 study=${2:?usage: physicist.sh [CAME STUDY]}

# Measures both kernels, and writes the filter between them. Is it the one that you expect?
# came-to-study.certificate.png shows what was measured.
rgan-train match --source "$came" --target "$study" -o came-to-study.onnx \
  --data-name "two groups of scans" --data-licence "not published"
rgan-harmonize inspect came-to-study.onnx

rgan-harmonize run "$came" harmonized --model came-to-study.onnx --preview

# Are the groups closer, and beside what controls? report/report.html says also what it can't prove.
rgan-train evaluate --source "$came" --target "$study" --model came-to-study.onnx -o report \
  "${features[@]}"
