# cmake -DFOLDER=.. -DCOMMAND=..;.. -P: runs the command with FOLDER made anew.
file(REMOVE_RECURSE ${FOLDER})
file(MAKE_DIRECTORY ${FOLDER})
execute_process(COMMAND ${COMMAND} RESULT_VARIABLE _result)
if(_result)
    message(FATAL_ERROR "ended with ${_result}")
endif()
