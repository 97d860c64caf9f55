// rooms: base formats
// libs:
//
// parse_safetensors on arbitrary bytes: an error of one short line, or tensors that lie inside the
// bytes, in order, with the size that their shape says.
//
//   clang++-19 -std=c++23 -g -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all
//     -DFMT_HEADER_ONLY -Iinclude -Isrc tests/fuzz/fuzz_safetensors.cpp src/base/*.cpp
//     src/formats/*.cpp -o build/fuzz/fuzz_safetensors
//   build/fuzz/fuzz_safetensors NEW_UNITS tests/fuzz/corpus/safetensors
//
// or tests/fuzz/run, which does this for every fuzz_*.cpp.
#include "support.h"

#include "formats/safetensors.h"

namespace {

using fuzz::parsed;
using fuzz::require;
using namespace handloom;

void check_tensor(const formats::TensorInfo& tensor, std::span<const std::byte> file) {
  require(tensor.bytes.data() >= file.data());
  require(tensor.bytes.data() + tensor.bytes.size() <= file.data() + file.size());
  require(tensor.bytes.size() == tensor.shape.count() * dtype_bytes(tensor.dtype));
  if (const auto values = formats::to_f32(tensor)) require(values->size() == tensor.shape.count());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto file = std::as_bytes(std::span(data, size));
  const auto checkpoint = formats::parse_safetensors(file, "fuzz");
  if (!parsed(checkpoint)) return 0;
  const formats::TensorInfo* previous = nullptr;
  for (const formats::TensorInfo& tensor : checkpoint->tensors()) {
    check_tensor(tensor, file);
    require(previous == nullptr || previous->name < tensor.name);
    require(checkpoint->find(tensor.name) == &tensor);
    require(checkpoint->get(tensor.name + "x").has_value() ==
            (checkpoint->find(tensor.name + "x") != nullptr));
    previous = &tensor;
  }
  return 0;
}
