# What the WebAssembly build has in place of the system's libraries: nlohmann-json and fmt are headers,
# found without the rest of /usr/include, which belongs to another libc.
set(web_include ${PROJECT_BINARY_DIR}/include)
file(MAKE_DIRECTORY ${web_include})
foreach(library nlohmann fmt)
  file(CREATE_LINK /usr/include/${library} ${web_include}/${library} SYMBOLIC)
endforeach()
add_library(nlohmann_json::nlohmann_json INTERFACE IMPORTED)
target_include_directories(nlohmann_json::nlohmann_json INTERFACE ${web_include})
add_library(fmt::fmt INTERFACE IMPORTED)
target_include_directories(fmt::fmt INTERFACE ${web_include})
target_compile_definitions(fmt::fmt INTERFACE FMT_HEADER_ONLY
  FMT_USE_INT128=0 FMT_USE_LONG_DOUBLE=0
  "FMT_STATIC_THOUSANDS_SEPARATOR=','")  # spares all of std::locale

# Size counts more than speed: the GPU does the work.
set(CMAKE_CXX_FLAGS_RELEASE "-Oz -DNDEBUG -flto")
add_compile_options(-msimd128 -mbulk-memory -mnontrapping-fptoint -fno-exceptions -fno-rtti -ffunction-sections -fdata-sections)
add_compile_options(-Wno-missing-designated-field-initializers)
