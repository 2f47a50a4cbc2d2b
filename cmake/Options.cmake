option(PAPERCLIP_TESTS "Build the tests" ON)
option(PAPERCLIP_BENCHMARKS "Build the benchmarks" OFF)
option(PAPERCLIP_CRASH_POINTS "Let tests kill the server at named points (src/os/crash_point.h)" ${PAPERCLIP_TESTS})
set(PAPERCLIP_SANITIZE "" CACHE STRING "Sanitizers for -fsanitize=, for example address,undefined")

# -O3 is CMake's choice and compiles longer (docs/decisions/0002).
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -DNDEBUG")

add_compile_options(-Wall -Wextra -Werror -Wno-missing-field-initializers)
  
# Boost 1.81 reads bytes it never wrote when it is inlined far enough for GCC 12 to think so.
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  add_compile_options(-Wno-maybe-uninitialized -Wno-restrict -Wno-dangling-pointer)
else()
  add_compile_options(-Wno-deprecated-declarations) # libstdc++ 12 itself uses what it deprecates (stable_sort)
endif()

if(PAPERCLIP_SANITIZE)
  add_compile_options(-fsanitize=${PAPERCLIP_SANITIZE} -fno-omit-frame-pointer -g1)
  add_link_options(-fsanitize=${PAPERCLIP_SANITIZE})
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    add_compile_options(-O1 -fno-var-tracking-assignments)
  else()
    # Unoptimised code takes half the time to compile and the tests hardly longer (docs/decisions/0002).
    add_compile_options(-O0 -fno-sanitize-recover=all)
    # The vptr check needs type information that SOCI's libraries do not export.
    add_compile_options(-fno-sanitize=vptr)
    add_link_options(-fno-sanitize=vptr)
  endif()
endif()

find_program(MOLD mold)
if(MOLD)
  add_link_options(-fuse-ld=mold)
endif()
