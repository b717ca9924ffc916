# nd_embed(TARGET SYMBOL FILE): put FILE's bytes into TARGET as `const unsigned char SYMBOL[]`, with
# `const unsigned int SYMBOL_len`, declared by the source that uses them.
function(nd_embed target symbol file)
  get_filename_component(path ${file} ABSOLUTE)
  set(out ${CMAKE_CURRENT_BINARY_DIR}/${symbol}.c)
  file(CONFIGURE OUTPUT ${out} @ONLY CONTENT [[
__asm__(".section .rodata\n"
	".global @symbol@\n"
	".hidden @symbol@\n"
	"@symbol@:\n"
	".incbin \"@path@\"\n"
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
    OBJECT_DEPENDS ${path} GENERATED TRUE)
  target_sources(${target} PRIVATE ${out})
endfunction()
