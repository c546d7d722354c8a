#!/usr/bin/env bash
# Installs the Debian packages halo-forge needs where it may, else says in one line what to install.
set -euo pipefail

declare -A package_of=([g++]=g++ [gcc]=gcc [bwrap]=bubblewrap [prlimit]=util-linux)
missing=()
for program in "${!package_of[@]}"; do
    command -v "$program" >/dev/null || missing+=("${package_of[$program]}")
done
"${PYTHON:-python3}" -c 'import ensurepip' 2>/dev/null || missing+=(python3-venv)
[ ${#missing[@]} -eq 0 ] && exit 0

as_root=()
if [ "$(id -u)" -ne 0 ]; then as_root=(sudo -n); fi
if command -v apt-get >/dev/null && { [ "$(id -u)" -eq 0 ] || sudo -n true 2>/dev/null; }; then
    echo "installing ${missing[*]}"
    "${as_root[@]}" apt-get update -qq
    DEBIAN_FRONTEND=noninteractive "${as_root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
else
    echo "halo-forge needs: sudo apt-get install ${missing[*]}   (or your system's packages of these names)" >&2
    exit 3
fi
