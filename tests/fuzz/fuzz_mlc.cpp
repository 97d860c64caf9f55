// rooms: base formats
// libs:
//
// An MLC index from arbitrary bytes: an error of one short line, or shards whose records lie within
// them and apart; then their codes and scales joined, under each quantisation. The same bytes are
// an mlc-chat-config.json, too.
//
//   clang++-19 -std=c++23 -g -O1 -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all
//     -DFMT_HEADER_ONLY -Iinclude -Isrc tests/fuzz/fuzz_mlc.cpp src/base/*.cpp
//     src/formats/*.cpp -o build/fuzz/fuzz_mlc
//   build/fuzz/fuzz_mlc NEW_UNITS tests/fuzz/corpus/mlc
//
// or tests/fuzz/run, which does this for every fuzz_*.cpp.
#include "support.h"

#include "formats/mlc.h"

namespace {

using fuzz::parsed;
using fuzz::require;
using namespace handloom;

void check_joined(const formats::TensorInfo& tensor) {
  if (!is_quantised(tensor.dtype)) return;
  const uint32_t last = tensor.shape.rank() - 1;
  const uint64_t columns = tensor.shape.dim(last);
  const uint64_t n_groups = (columns + tensor.group - 1) / tensor.group;
  uint64_t rows = 1;
  for (uint32_t i = 0; i < last; ++i) rows *= tensor.shape.dim(i);
  require(tensor.bytes.size() == rows * n_groups * 16);
  require(tensor.scales.size() == rows * n_groups * dtype_bytes(tensor.scale_dtype));
}

/// The shards laid in memory one over the other: nothing reads them here.
std::vector<formats::TensorInfo> tensors_of(const std::vector<formats::MlcShard>& shards) {
  static const std::vector<std::byte> memory(1 << 20);
  std::vector<formats::TensorInfo> tensors;
  for (const formats::MlcShard& shard : shards) {
    if (shard.n_bytes > memory.size()) continue;
    for (const formats::MlcRecord& record : shard.records) {
      tensors.push_back({.name = record.name,
                         .dtype = record.dtype,
                         .shape = record.shape,
                         .bytes = std::span(memory).subspan(record.offset, record.n_bytes)});
    }
  }
  return tensors;
}

void check_index(std::string_view json) {
  const auto shards = formats::parse_mlc_index(json, "fuzz");
  if (!parsed(shards)) return;
  for (const formats::MlcShard& shard : *shards) {
    require(("/" + shard.file + "/").find("/../") == std::string::npos);
    require(!shard.file.empty() && shard.file[0] != '/');
    uint64_t end = 0;
    for (const formats::MlcRecord& record : shard.records) {
      require(record.offset >= end && record.n_bytes <= shard.n_bytes);
      end = record.offset + record.n_bytes;
      require(end <= shard.n_bytes);
    }
  }
  for (const auto quantization :
       {formats::MlcQuantization::q0f16, formats::MlcQuantization::q3f16_1,
        formats::MlcQuantization::q4f16_1, formats::MlcQuantization::q4f32_1}) {
    formats::MlcConfig mlc;
    mlc.quantization = quantization;
    mlc.config.model_dim = 64;
    mlc.config.ffn_dim = 90;
    const auto joined = formats::join_mlc(tensors_of(*shards), mlc, "fuzz");
    if (!parsed(joined)) continue;
    for (const formats::TensorInfo& tensor : *joined) check_joined(tensor);
  }
}

void check_config(std::string_view json) {
  const auto mlc = formats::parse_mlc_config(json, "fuzz");
  if (!parsed(mlc)) return;
  for (const uint32_t id : mlc->config.eos_ids) require(id < mlc->config.vocab_size);
  require(mlc->config.head_dim % 2 == 0);
  if (mlc->conversation) require(!formats::to_jinja(*mlc->conversation).empty());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view json(reinterpret_cast<const char*>(data), size);
  check_index(json);
  check_config(json);
  return 0;
}
