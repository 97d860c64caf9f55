# The kernels room: src/kernels/*.wgsl, embedded as text with their parameter structs.
if(HANDLOOM_WEB)  # the tool runs on this machine
  find_program(HANDLOOM_HOST_CXX NAMES c++ g++ REQUIRED)
  set(embed_wgsl ${PROJECT_BINARY_DIR}/embed_wgsl)
  set(embed_options --bare)
  add_custom_command(
    OUTPUT ${embed_wgsl}
    COMMAND ${HANDLOOM_HOST_CXX} -std=c++20 -O1 -o ${embed_wgsl} ${PROJECT_SOURCE_DIR}/tools/embed_wgsl.cpp
    DEPENDS ${PROJECT_SOURCE_DIR}/tools/embed_wgsl.cpp ${PROJECT_SOURCE_DIR}/tools/bare_wgsl.h)
else()
  add_executable(embed_wgsl tools/embed_wgsl.cpp)
  set(embed_wgsl embed_wgsl)
endif()
file(GLOB kernel_files CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/kernels/*.wgsl)
file(GLOB kernel_helpers CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/kernels/lib/*.wgsl)
set(kernels_door ${PROJECT_BINARY_DIR}/rooms/kernels)
add_custom_command(
  OUTPUT ${kernels_door}/kernels/kernels.h ${kernels_door}/kernels/kernels.cpp
  COMMAND ${embed_wgsl} ${embed_options} ${kernels_door}/kernels ${kernel_files}
  DEPENDS ${embed_wgsl} ${kernel_files} ${kernel_helpers}
  COMMENT "Embedding the kernels")
add_library(handloom_kernels STATIC ${kernels_door}/kernels/kernels.cpp ${kernels_door}/kernels/kernels.h)
target_include_directories(handloom_kernels PUBLIC ${kernels_door})
target_link_libraries(handloom_kernels PRIVATE handloom_gpu handloom_base)
