# cmake -DHELLO=.. -DREAD_REMEMBER=.. -DMODEL=.. -DFOLDER=.. -P: the examples of the documents, as a user runs them.
file(REMOVE_RECURSE ${FOLDER})
file(MAKE_DIRECTORY ${FOLDER})
file(WRITE ${FOLDER}/book.txt "the sea was calm and a ship came from far with salt wind and stars over the water. ")
foreach(command "${HELLO};${MODEL};hello.rpt"
                "${READ_REMEMBER};${MODEL};book.rpt;remember;book.txt"
                "${READ_REMEMBER};${MODEL};book.rpt;continue;the sea was calm and ")
    execute_process(COMMAND ${command} WORKING_DIRECTORY ${FOLDER} RESULT_VARIABLE _result OUTPUT_VARIABLE _out)
    if(_result OR _out STREQUAL "")
        message(FATAL_ERROR "${command} ended with ${_result} and printed \"${_out}\"")
    endif()
endforeach()
