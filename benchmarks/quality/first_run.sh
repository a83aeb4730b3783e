#!/usr/bin/env bash
# The run of docs/results/first-run.md: train RadiomicGAN on the Siemens pair, harmonize its
# series, and measure the written files. Usage: first_run.sh [train]
# Needs the data of docs/data.md in .data/. Without `train` it takes the run in runs/radiomicgan.
set -euo pipefail
cd "$(dirname "$0")/../.."
siemens=.data/pair_lungdx_A0002_siemens
caption="Lung-PET-CT-Dx, patient A0002, The Cancer Imaging Archive, \
doi:10.7937/TCIA.2020.NNC2-0461, CC BY 4.0"

if [ "${1:-}" = train ]; then
  rgan-train pair "$siemens" -o runs/siemens.csv
  rgan-train fit runs/siemens.csv -o runs/radiomicgan --config docs/results/radiomicgan.toml \
    --set data.source_kernel=B40f --set data.target_kernel=B70f \
    --vgg-weights .data/vgg/vgg19_16x_distilled_relu5_1.npz
fi
rgan-train export runs/radiomicgan -o runs/radiomicgan.onnx --name radiomicgan-b40f-to-b70f
rm -rf runs/radiomicgan-out
rgan-harmonize run "$siemens" runs/radiomicgan-out --model runs/radiomicgan.onnx \
  --report runs/radiomicgan-report.json
rm -rf runs/packaged-out
rgan-harmonize run "$siemens" runs/packaged-out --model b40f-to-b70f

PYTHONPATH=tests python benchmarks/quality/written_headers.py \
  --source "$siemens/B40f" --harmonized runs/radiomicgan-out
python benchmarks/quality/written_files.py --source "$siemens/B40f" --target "$siemens/B70f" \
  --harmonized RadiomicGAN=runs/radiomicgan-out --harmonized packaged=runs/packaged-out \
  --slices 22-29 --json docs/results/first-run.json --figure docs/images/first-run.png \
  --caption "$caption"
