# nd_embed(TARGET SYMBOL FILE): put FILE's bytes into TARGET as `const unsigned char SYMBOL[]`, with
# `const unsigned int SYMBOL_len`, declared by the source that uses them.
function(nd_embed target symbol file)
  nd_embed_pieces(${target} ${symbol} "" "" ${file})
endfunction()

# nd_embed_script(TARGET SYMBOL PARAMETERS RESULT FILES...): likewise one JavaScript function with
# these PARAMETERS, whose body is FILES in this order, and which returns RESULT.
function(nd_embed_script target symbol parameters result)
  string(REGEX REPLACE "^nd_(.*)_js$" "\\1" name ${symbol})
  nd_embed_pieces(${target} ${symbol}
    "(function nodiag(${parameters}) { 'use strict';\\n"
    "return ${result};\\n})\\n//# sourceURL=node:nodiag/${name}" ${ARGN})
endfunction()

# nd_embed_pieces(TARGET SYMBOL HEAD TAIL FILES...): what both are made of.
function(nd_embed_pieces target symbol head tail)
  set(paths "")
  set(pieces "")
  foreach(file ${ARGN})
    get_filename_component(path ${file} ABSOLUTE)
    list(APPEND paths ${path})
    string(APPEND pieces "\t\".incbin \\\"${path}\\\"\\n\"\n")
  endforeach()
  foreach(text head tail)
    string(REPLACE "\\" "\\\\" ${text} "${${text}}")
  endforeach()
  set(out ${CMAKE_CURRENT_BINARY_DIR}/${symbol}.c)
  file(CONFIGURE OUTPUT ${out} @ONLY CONTENT [[
__asm__(".section .rodata\n"
	".global @symbol@\n"
	".hidden @symbol@\n"
	"@symbol@:\n"
	".ascii \"@head@\"\n"
@pieces@	".ascii \"@tail@\"\n"
	"1:\n"
	".byte 0\n"
	".balign 4\n"
	".global @symbol@_len\n"
	".hidden @symbol@_len\n"
	"@symbol@_len:\n"
	".long 1b - @symbol@\n"
	".previous\n");
]])
  set_source_files_properties(${out} TARGET_DIRECTORY ${target} PROPERTIES
    OBJECT_DEPENDS "${paths}" GENERATED TRUE)
  target_sources(${target} PRIVATE ${out})
endfunction()
