# Warnings and hardening for every target, and the sanitizers a preset asks for.
add_compile_definitions(_GNU_SOURCE)
add_compile_options(
  -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith -Wundef
  -Wformat=2 -Wvla -Wwrite-strings -Wno-unused-parameter
  -fno-omit-frame-pointer -fvisibility=hidden)

# clang does not read the comments with which uthash marks its own.
if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
  add_compile_options(-Wimplicit-fallthrough)
endif()

if(ND_WERROR)
  add_compile_options(-Werror)
endif()

if(CMAKE_BUILD_TYPE STREQUAL "Release")
  add_compile_options(-D_FORTIFY_SOURCE=2 -fstack-protector-strong)
  add_link_options(-Wl,-z,relro,-z,now)
  set(CMAKE_POSITION_INDEPENDENT_CODE ON)
endif()

if(ND_SANITIZE)
  add_compile_options(-fsanitize=${ND_SANITIZE} -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${ND_SANITIZE})
endif()

if(ND_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()
