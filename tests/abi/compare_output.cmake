# cmake -DPROGRAM=.. -DGOLDEN=.. -P: what the program prints is the golden file; additions are differences too, so that
# they are made knowingly.
execute_process(COMMAND ${PROGRAM} OUTPUT_VARIABLE _found RESULT_VARIABLE _failed)
file(READ ${GOLDEN} _golden)
if(_failed OR NOT _found STREQUAL _golden)
    message(FATAL_ERROR "layout differs from ${GOLDEN}; it now is\n${_found}")
endif()
