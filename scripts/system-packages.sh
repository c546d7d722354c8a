#!/usr/bin/env bash
# Installs the Debian packages halo-forge needs where it may, else says in one line what to install.
# With --tests also those that only its tests need: every toolchain that has a verifier, and their stand-ins.
set -euo pipefail

declare -A package_of=([g++]=g++ [gcc]=gcc [bwrap]=bubblewrap)
plugin_headers=$( (g++ -print-file-name=plugin 2>/dev/null || true) )/include/gcc-plugin.h
extra=()
if [ "${1:-}" = --tests ]; then
    package_of+=([chromium]=chromium [espeak-ng]=espeak-ng [clang]=clang [mold]=mold [go]=golang-go [sshd]=openssh-server [ssh]=openssh-client
        [x86_64-w64-mingw32-g++]=g++-mingw-w64-x86-64-posix [x86_64-w64-mingw32-gcc]=gcc-mingw-w64-x86-64-posix
        [rustc]=rustc [cargo]=cargo [ip]=iproute2)
    [ -d /usr/share/cargo/registry/tokio-1* ] 2>/dev/null || extra+=(librust-tokio-dev)
    [ -d /usr/share/cargo/registry/anyhow-1* ] 2>/dev/null || extra+=(librust-anyhow-dev)
fi
missing=()
for program in "${!package_of[@]}"; do
    command -v "$program" >/dev/null || PATH="$PATH:/usr/sbin" command -v "$program" >/dev/null || missing+=("${package_of[$program]}")
done
missing+=(${extra[@]+"${extra[@]}"})
"${PYTHON:-python3}" -c 'import ensurepip' 2>/dev/null || missing+=(python3-venv)

# Headers that let the compiler precompile the programs' own headers at a quarter of the cost; not needed, so not insisted on.
wished=()
if command -v g++ >/dev/null && [ ! -f "$plugin_headers" ]; then wished+=("gcc-$(g++ -dumpversion | cut -d. -f1)-plugin-dev"); fi
[ ${#missing[@]} -eq 0 ] && [ ${#wished[@]} -eq 0 ] && exit 0

as_root=()
if [ "$(id -u)" -ne 0 ]; then as_root=(sudo -n); fi
if command -v apt-get >/dev/null && { [ "$(id -u)" -eq 0 ] || sudo -n true 2>/dev/null; }; then
    echo "installing ${missing[*]-} ${wished[*]-}"
    export DEBIAN_FRONTEND=noninteractive
    "${as_root[@]}" apt-get update -qq
    [ ${#missing[@]} -eq 0 ] || "${as_root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
    [ ${#wished[@]} -eq 0 ] || "${as_root[@]}" apt-get install -y -qq --no-install-recommends "${wished[@]}" >/dev/null 2>&1 || true
elif [ ${#missing[@]} -gt 0 ]; then
    echo "halo-forge needs: sudo apt-get install ${missing[*]}   (or your system's packages of these names)" >&2
    exit 3
fi
