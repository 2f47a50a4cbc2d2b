# paperclip_room(NAME LINKS targets...): the static library of one folder under src/.
# Its headers are included as "NAME/file.h". It may include only the rooms it links.
function(paperclip_room name)
  cmake_parse_arguments(ROOM "" "" "LINKS;PRIVATE_LINKS" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${name}/*.cpp)
  set(include_root ${CMAKE_SOURCE_DIR}/build/rooms/${name}) # one for all build trees, so that ccache sees equal commands
  # Each room is seen through a folder that holds a link to it alone; so an include of a room
  # that is not linked does not compile.
  file(MAKE_DIRECTORY ${include_root})
  file(CREATE_LINK ${CMAKE_CURRENT_SOURCE_DIR}/${name} ${include_root}/${name} SYMBOLIC)
  if(sources)
    add_library(paperclip_${name} STATIC ${sources})
    target_include_directories(paperclip_${name} PUBLIC ${include_root})
    target_link_libraries(paperclip_${name} PUBLIC ${ROOM_LINKS} PRIVATE ${ROOM_PRIVATE_LINKS})
  else()
    add_library(paperclip_${name} INTERFACE)
    target_include_directories(paperclip_${name} INTERFACE ${include_root})
    target_link_libraries(paperclip_${name} INTERFACE ${ROOM_LINKS} ${ROOM_PRIVATE_LINKS})
  endif()
  add_library(paperclip::${name} ALIAS paperclip_${name})
endfunction()

# paperclip_tests(ROOM LINKS targets...): one GoogleTest binary from tests/ROOM/*.cpp.
function(paperclip_tests name)
  cmake_parse_arguments(TESTS "" "" "LINKS" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${name}/*.cpp)
  if(NOT sources)
    return()
  endif()
  add_executable(${name}_tests ${sources})
  target_link_libraries(${name}_tests PRIVATE ${TESTS_LINKS} GTest::gtest GTest::gmock GTest::gtest_main)
  add_test(NAME ${name} COMMAND ${name}_tests)
  set_tests_properties(${name} PROPERTIES TIMEOUT 600)
endfunction()
