# Run by binding.gyp: cmake -DSRC=... -DCONFIG=Release -DNODE_INC=... -P native/gyp.cmake
# node-gyp's make would hand its job server to the inner build.
unset(ENV{MAKEFLAGS})
unset(ENV{MFLAGS})
unset(ENV{MAKELEVEL})
cmake_host_system_information(RESULT cores QUERY NUMBER_OF_LOGICAL_CORES)
execute_process(COMMAND ${CMAKE_COMMAND} -S ${SRC} -B ${SRC}/build/cmake -DCMAKE_BUILD_TYPE=${CONFIG} -DNODE_INC=${NODE_INC}
  COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND ${CMAKE_COMMAND} --build ${SRC}/build/cmake --config ${CONFIG} -j ${cores} COMMAND_ERROR_IS_FATAL ANY)
