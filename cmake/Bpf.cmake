# nd_add_bpf(TARGET NAME): compile NAME.bpf.c of the current folder and generate NAME.skel.h, which
# sources of TARGET include as "probes/NAME.skel.h".
#
# The programs are CO-RE and declare the few kernel fields they read themselves, so that nothing of
# the build machine's kernel is needed; libbpf relocates the offsets on the kernel they run on.
find_program(ND_BPFTOOL bpftool HINTS /usr/sbin REQUIRED)
find_program(ND_BPF_CLANG NAMES clang clang-14 clang-15 clang-16 clang-19 REQUIRED)
find_program(ND_LLVM_STRIP NAMES llvm-strip llvm-strip-14 llvm-strip-15 llvm-strip-16 llvm-strip-19 REQUIRED)

if(CMAKE_SYSTEM_PROCESSOR MATCHES "aarch64|arm64")
  set(ND_BPF_ARCH arm64)
else()
  set(ND_BPF_ARCH x86)
endif()

function(nd_add_bpf target name)
  set(dir ${PROJECT_BINARY_DIR}/probes)
  file(MAKE_DIRECTORY ${dir})
  add_custom_command(OUTPUT ${dir}/${name}.skel.h
    COMMAND ${ND_BPF_CLANG} -g -O2 -target bpf -ffreestanding -D__TARGET_ARCH_${ND_BPF_ARCH} -Wall
      -I${PROJECT_SOURCE_DIR} -isystem /usr/include/${CMAKE_LIBRARY_ARCHITECTURE}
      -MD -MF ${dir}/${name}.d
      -c ${CMAKE_CURRENT_SOURCE_DIR}/${name}.bpf.c -o ${dir}/${name}.bpf.o
    COMMAND ${ND_LLVM_STRIP} -g ${dir}/${name}.bpf.o
    # Generated code is not ours to mend.
    COMMAND echo "/* NOLINTBEGIN */" > ${dir}/${name}.skel.h
    COMMAND ${ND_BPFTOOL} gen skeleton ${dir}/${name}.bpf.o name ${name}_bpf >> ${dir}/${name}.skel.h
    COMMAND echo "/* NOLINTEND */" >> ${dir}/${name}.skel.h
    DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${name}.bpf.c
    DEPFILE ${dir}/${name}.d
    VERBATIM
    COMMENT "BPF: ${name}.skel.h")
  target_sources(${target} PRIVATE ${dir}/${name}.skel.h)
endfunction()
