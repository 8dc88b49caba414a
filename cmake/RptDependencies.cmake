# Third parties, each named with its reason in docs/dependencies.md. Nothing is downloaded here.
find_package(Threads REQUIRED)

add_library(rpt_json INTERFACE)
add_library(rpt_cli11 INTERFACE)
if(RPT_DEPS_INCLUDE)
    target_include_directories(rpt_json SYSTEM INTERFACE ${RPT_DEPS_INCLUDE})
    target_include_directories(rpt_cli11 SYSTEM INTERFACE ${RPT_DEPS_INCLUDE})
endif()
# GCC 12 warns of sizes that cannot be wherever `"text" + std::string` is inlined (its bug 105651), and CLI11 has many.
if(CMAKE_CXX_COMPILER_ID STREQUAL GNU AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
    target_compile_options(rpt_cli11 INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-Wno-restrict -Wno-stringop-overflow>)
endif()

find_library(ZSTD_LIBRARY zstd)
find_path(ZSTD_INCLUDE zstd.h)
if(ZSTD_LIBRARY AND ZSTD_INCLUDE)
    add_library(rpt_zstd INTERFACE)
    target_link_libraries(rpt_zstd INTERFACE ${ZSTD_LIBRARY})
    target_compile_definitions(rpt_zstd INTERFACE RPT_HAS_ZSTD=1)
endif()

if(NOT RPT_LAB_ONLY)
    find_package(SQLite3 REQUIRED)
    add_library(rpt_sqlite INTERFACE)
    if(TARGET SQLite3::SQLite3)  # its name since CMake 4.3
        target_link_libraries(rpt_sqlite INTERFACE SQLite3::SQLite3)
    else()
        target_link_libraries(rpt_sqlite INTERFACE SQLite::SQLite3)
    endif()
    find_package(LibXml2 REQUIRED)
    find_library(EDIT_LIBRARY edit)
    find_path(EDIT_INCLUDE histedit.h)
    if(NOT EDIT_LIBRARY OR NOT EDIT_INCLUDE)
        message(FATAL_ERROR "libedit is missing: apt-get install libedit-dev")
    endif()
    add_library(rpt_edit INTERFACE)
    target_include_directories(rpt_edit SYSTEM INTERFACE ${EDIT_INCLUDE})
    target_link_libraries(rpt_edit INTERFACE ${EDIT_LIBRARY})
    if(RPT_TESTS)
        find_package(GTest REQUIRED)
    endif()
    if(RPT_BENCHMARKS)
        find_package(benchmark REQUIRED)
    endif()
    if(NOT TARGET rpt_zstd)
        message(FATAL_ERROR "zstd is missing: apt-get install libzstd-dev")
    endif()
endif()

if(RPT_FUZZ)
    return()
endif()

# LibTorch: CMAKE_PREFIX_PATH or LIBTORCH name it; `make build` puts it into build/venv.
# We link its libraries by file and take its include folder as a system folder: its CMake package would also
# search for CUDA and Caffe2 parts that nothing here uses.
find_path(RPT_TORCH_INCLUDE ATen/ATen.h REQUIRED
    HINTS $ENV{LIBTORCH}/include ${CMAKE_PREFIX_PATH}
    PATHS ${CMAKE_SOURCE_DIR}/build/venv/lib/python3.11/site-packages/torch/include
    PATH_SUFFIXES include ../../include NO_CMAKE_SYSTEM_PATH)
get_filename_component(RPT_TORCH_ROOT ${RPT_TORCH_INCLUDE} DIRECTORY)
add_library(rpt_torch INTERFACE)
target_include_directories(rpt_torch SYSTEM INTERFACE ${RPT_TORCH_INCLUDE} ${RPT_TORCH_INCLUDE}/torch/csrc/api/include)
foreach(lib torch torch_cpu c10)
    target_link_libraries(rpt_torch INTERFACE ${RPT_TORCH_ROOT}/lib/lib${lib}.so)
endforeach()
if(EXISTS ${RPT_TORCH_ROOT}/lib/libtorch_cuda.so)
    # registered by static initialisers only, so the linker must be told to keep it
    target_link_libraries(rpt_torch INTERFACE -Wl,--no-as-needed ${RPT_TORCH_ROOT}/lib/libtorch_cuda.so
        ${RPT_TORCH_ROOT}/lib/libc10_cuda.so -Wl,--as-needed)
endif()
target_link_options(rpt_torch INTERFACE -Wl,-rpath,${RPT_TORCH_ROOT}/lib)

# One precompiled <ATen/ATen.h> for every room that needs it: 14 s a file otherwise.
file(WRITE ${CMAKE_BINARY_DIR}/aten_pch.cc "")
add_library(rpt_aten_pch STATIC ${CMAKE_BINARY_DIR}/aten_pch.cc)
target_link_libraries(rpt_aten_pch PUBLIC rpt_torch PRIVATE rpt_warnings)
target_precompile_headers(rpt_aten_pch PRIVATE <ATen/ATen.h>)

function(rpt_use_torch target)
    target_link_libraries(${target} PUBLIC rpt_torch)
    target_precompile_headers(${target} REUSE_FROM rpt_aten_pch)
    # a precompiled header is refused by code of another model: programs too are built as a library's code is
    set_target_properties(${target} PROPERTIES POSITION_INDEPENDENT_CODE OFF)
    target_compile_options(${target} PRIVATE -fPIC)
endfunction()

# Faiss is a yardstick of tests and benchmarks; the library itself does not use it. Debian has it as a static library that
# calls an OpenMP runtime and a BLAS: with LibTorch both are LibTorch's, without it the system's.
function(rpt_find_faiss)
    find_library(RPT_FAISS_LIBRARY NAMES libfaiss.a faiss REQUIRED)
    find_path(RPT_FAISS_INCLUDE faiss/IndexFlat.h REQUIRED)
    add_library(rpt_faiss INTERFACE)
    target_include_directories(rpt_faiss SYSTEM INTERFACE ${RPT_FAISS_INCLUDE})
    if(TARGET rpt_torch)
        file(GLOB _openmp ${RPT_TORCH_ROOT}/lib/libgomp*.so*)
        target_link_libraries(rpt_faiss INTERFACE ${RPT_FAISS_LIBRARY} rpt_torch ${_openmp})
    else()
        find_library(RPT_BLAS_LIBRARY NAMES openblas blas REQUIRED)
        find_library(RPT_OPENMP_LIBRARY NAMES libgomp.so.1 gomp REQUIRED)
        target_link_libraries(rpt_faiss INTERFACE ${RPT_FAISS_LIBRARY} ${RPT_BLAS_LIBRARY} ${RPT_OPENMP_LIBRARY})
    endif()
endfunction()
