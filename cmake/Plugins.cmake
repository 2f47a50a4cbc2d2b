# paperclip_plugin(NAME FOLDER): a native plugin from FOLDER (relative to the source tree). It is put together as a package
# that can be installed as it stands: build/plugins/NAME with package.json, manifest.json and the program `worker`.
function(paperclip_plugin name folder)
  set(package ${CMAKE_BINARY_DIR}/plugins/${name})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/${folder}/*.cpp)
  add_executable(plugin-${name} ${sources})
  set_target_properties(plugin-${name} PROPERTIES OUTPUT_NAME worker RUNTIME_OUTPUT_DIRECTORY ${package})
  target_link_libraries(plugin-${name} PRIVATE paperclip::sdk)
  foreach(file package.json manifest.json)
    configure_file(${CMAKE_SOURCE_DIR}/${folder}/${file} ${package}/${file} COPYONLY)
  endforeach()
endfunction()
