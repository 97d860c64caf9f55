# What the WebAssembly build has in place of the system's libraries: the parts of fmt and nlohmann-json
# that src/ uses, and of <cmath>, written for size (web/wasm/lib).
# Size counts more than speed: the GPU does the work.
set(CMAKE_CXX_FLAGS_RELEASE "-Oz -DNDEBUG -flto")
add_compile_options(-msimd128 -mbulk-memory -mnontrapping-fptoint -fno-exceptions -fno-rtti -ffunction-sections -fdata-sections
  -fno-sized-deallocation -fno-threadsafe-statics -fno-c++-static-destructors)
add_compile_options(-Wno-missing-designated-field-initializers)

set(stand_ins ${PROJECT_SOURCE_DIR}/web/wasm/lib)
add_library(web_stand_ins STATIC ${stand_ins}/format.cpp ${stand_ins}/json.cpp ${stand_ins}/math.cpp ${stand_ins}/memory.cpp)
target_include_directories(web_stand_ins PUBLIC ${stand_ins} PRIVATE ${PROJECT_SOURCE_DIR}/src)
# The optimiser would take a function named like libc's for what it knows by that name.
set_source_files_properties(${stand_ins}/math.cpp ${stand_ins}/memory.cpp PROPERTIES COMPILE_OPTIONS "-fno-lto;-fno-builtin")
add_library(fmt::fmt ALIAS web_stand_ins)
add_library(nlohmann_json::nlohmann_json ALIAS web_stand_ins)
