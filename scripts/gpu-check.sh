#!/bin/sh
# Builds the library for GPUs on a machine that has one, tries everything on it and says how fast it is. Needs nvcc, CMake, a C++
# compiler and Python, with PyTorch and transformers for what it is compared with; no Node, no network. Writes build/gpu-report.json, and
# the same as tables in build/gpu-report.md.
#
#   scripts/gpu-check.sh --help
exec "${PYTHON:-python3}" "$(dirname "$0")/gpu_check" "$@"
