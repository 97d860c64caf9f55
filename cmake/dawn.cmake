# The target `dawn`: the system's package where there is one, else the private copy that ./setup
# unpacks into .deps/dawn together with the libc it was built for. Seen by the gpu room alone.
set(HANDLOOM_DAWN_PREFIX "${PROJECT_SOURCE_DIR}/.deps/dawn/root" CACHE PATH "A private Dawn, as ./setup makes it")

add_library(dawn INTERFACE)
find_path(DAWN_INCLUDE dawn/webgpu_cpp.h)
find_library(DAWN_LIBRARY NAMES webgpu_dawn libwebgpu_dawn.so.0)
if(DAWN_INCLUDE AND DAWN_LIBRARY)
  target_include_directories(dawn SYSTEM INTERFACE ${DAWN_INCLUDE})
  target_link_libraries(dawn INTERFACE ${DAWN_LIBRARY})
elseif(EXISTS ${HANDLOOM_DAWN_PREFIX}/usr/include/dawn/webgpu_cpp.h)
  set(dawn_lib ${HANDLOOM_DAWN_PREFIX}/usr/lib/x86_64-linux-gnu)
  target_include_directories(dawn SYSTEM INTERFACE ${HANDLOOM_DAWN_PREFIX}/usr/include)
  target_link_directories(dawn INTERFACE ${dawn_lib})
  target_link_libraries(dawn INTERFACE -l:libwebgpu_dawn.so.0)
  # The private libc is newer than the system's: programs must start through its own loader.
  target_link_options(dawn INTERFACE -Wl,--allow-shlib-undefined,--disable-new-dtags,-rpath,${dawn_lib},--dynamic-linker=${dawn_lib}/ld-linux-x86-64.so.2)
else()
  message(FATAL_ERROR "Dawn is not here: run ./setup (it unpacks Dawn into .deps/dawn), or set HANDLOOM_DAWN_PREFIX")
endif()
