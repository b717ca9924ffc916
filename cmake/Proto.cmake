# nd_add_proto(TARGET NAME): generate NAME.pb-c.[ch] from NAME.proto of the current folder; sources
# of TARGET include "proto/NAME.pb-c.h".
find_program(ND_PROTOC_C protoc-c REQUIRED)

function(nd_add_proto target name)
  set(dir ${PROJECT_BINARY_DIR}/proto)
  file(MAKE_DIRECTORY ${dir})
  add_custom_command(OUTPUT ${dir}/${name}.pb-c.c ${dir}/${name}.pb-c.h
    COMMAND ${ND_PROTOC_C} --c_out=${dir} -I${CMAKE_CURRENT_SOURCE_DIR} ${name}.proto
    DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${name}.proto
    COMMENT "protobuf-c: ${name}.pb-c.c")
  # Generated code is not ours to mend.
  set_source_files_properties(${dir}/${name}.pb-c.c PROPERTIES COMPILE_OPTIONS "-w")
  target_sources(${target} PRIVATE ${dir}/${name}.pb-c.c)
endfunction()
