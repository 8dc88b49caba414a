# cmake -DBUILD=.. -DFOLDER=.. -DMODEL=.. -DC_COMPILER=.. -DLIBDIR=.. -P: a host that knows nothing but an installed tree.
file(REMOVE_RECURSE ${FOLDER})
file(MAKE_DIRECTORY ${FOLDER})
function(run)
    execute_process(COMMAND ${ARGN} RESULT_VARIABLE _result OUTPUT_VARIABLE _out ERROR_VARIABLE _out
                    WORKING_DIRECTORY ${FOLDER})
    if(_result)
        message(FATAL_ERROR "${ARGN} ended with ${_result}:\n${_out}")
    endif()
    set(out "${_out}" PARENT_SCOPE)
endfunction()
# The library's own rules alone: programs beside it need not be built for this test.
run(${CMAKE_COMMAND} -DCMAKE_INSTALL_PREFIX=${FOLDER}/tree -P ${BUILD}/capi/cmake_install.cmake)
file(WRITE ${FOLDER}/host/host.c "#include <rpt.h>\n#include <stdio.h>\nint main(int argc, char **argv) {\n
    rpt_error err = RPT_ERROR_INIT; rpt_env *env = NULL; rpt_model *model = NULL;\n
    if (argc < 2 || rpt_env_open(NULL, &env, &err) < 0 || rpt_model_open(env, argv[1], NULL, NULL, &model, &err) < 0) {\n
        printf(\"%s\\n\", err.message); return 1; }\n
    rpt_model_close(model); rpt_env_close(env); puts(rpt_build_info()); return 0; }\n")
file(WRITE ${FOLDER}/host/CMakeLists.txt "cmake_minimum_required(VERSION 3.25)\nproject(host C)\n
    find_package(rpt 0.1 REQUIRED)\nadd_executable(host host.c)\ntarget_link_libraries(host PRIVATE rpt::rpt)\n")
run(${CMAKE_COMMAND} -S host -B host/build -DCMAKE_PREFIX_PATH=${FOLDER}/tree -DCMAKE_C_COMPILER=${C_COMPILER})
run(${CMAKE_COMMAND} --build host/build)
run(${FOLDER}/host/build/host ${MODEL})
if(NOT out MATCHES "librpt")
    message(FATAL_ERROR "the host printed \"${out}\"")
endif()
# The same through pkg-config's file, read by hand where the tool is missing.
file(STRINGS ${FOLDER}/tree/${LIBDIR}/pkgconfig/rpt.pc _pc)
if(NOT _pc MATCHES "Libs: -L.*-lrpt" OR NOT _pc MATCHES "Cflags: -I")
    message(FATAL_ERROR "rpt.pc is not what a build needs: ${_pc}")
endif()
file(GLOB _licence ${FOLDER}/tree/share/doc/librpt/LICENSE ${FOLDER}/tree/share/doc/librpt/NOTICE)
list(LENGTH _licence _n)
if(NOT _n EQUAL 2 OR NOT _pc MATCHES "License: Apache-2.0")
    message(FATAL_ERROR "the licence is not installed: ${_licence}, ${_pc}")
endif()
find_program(_pkg_config pkg-config)
if(_pkg_config)
    set(ENV{PKG_CONFIG_PATH} ${FOLDER}/tree/${LIBDIR}/pkgconfig)
    run(${_pkg_config} --define-variable=prefix=${FOLDER}/tree --cflags --libs rpt)
    separate_arguments(_flags UNIX_COMMAND "${out}")
    run(${C_COMPILER} -std=c99 host/host.c ${_flags} -Wl,-rpath,${FOLDER}/tree/${LIBDIR} -o host/by_pkg_config)
    run(${FOLDER}/host/by_pkg_config ${MODEL})
endif()
