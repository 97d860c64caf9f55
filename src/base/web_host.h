// What the engine asks of a page: everything that it imports, in one place. web/src/gpu.ts answers
// the module "gpu", web/src/host.ts "host". No call waits, none fails but as its comment says.
//
// Text goes in as UTF-8, pointer and length. What comes out is a Block: the host takes its memory
// from the export `handloom_alloc`, and take_block() frees it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

namespace handloom::web {

struct Block {
  uint32_t n_bytes;
  char bytes[];
};

/// "" for nullptr.
inline std::string take_block(Block* block) {
  if (block == nullptr) return "";
  std::string out(block->bytes, block->n_bytes);
  std::free(block);
  return out;
}

#define HANDLOOM_IMPORT(module, name) \
  extern "C" __attribute__((import_module(module), import_name(#name)))

// --- Text (tokenizer/text_host.h)

/// `form`: 0 NFC, 1 NFD, 2 NFKC, 3 NFKD.
HANDLOOM_IMPORT("host", normalize)
Block* host_normalize(const char* text, size_t n_bytes, uint32_t form);
/// Each character by itself.
HANDLOOM_IMPORT("host", lowercase) Block* host_lowercase(const char* text, size_t n_bytes);
/// A sum of: 1 White_Space, 2 category P, 4 N, 8 M, 16 Alphabetic or M or Nd or Pc.
HANDLOOM_IMPORT("host", classes) uint32_t host_classes(uint32_t code);
/// A number of its own for a pattern in the common dialect of tokenizer/regex_dialect.h, or 0; then
/// regex_error says why.
HANDLOOM_IMPORT("host", regex_compile)
uint32_t host_regex_compile(const char* pattern, size_t n_bytes);
HANDLOOM_IMPORT("host", regex_error) Block* host_regex_error();
HANDLOOM_IMPORT("host", regex_free) void host_regex_free(uint32_t regex);
/// Pairs of u32: where each match begins and ends, in bytes.
HANDLOOM_IMPORT("host", regex_find_all)
Block* host_regex_find_all(uint32_t regex, const char* text, size_t n_bytes);

// --- Numbers as text (JSON, messages; web/wasm/lib)

/// As JavaScript writes it: the shortest text that is this value, of an f32 where `is_f32`; or with
/// `form` 'f' or 'g', as printf does, `digits` of them.
HANDLOOM_IMPORT("host", format_number)
Block* host_format_number(double value, uint32_t is_f32, uint32_t form, uint32_t digits);
HANDLOOM_IMPORT("host", parse_number) double host_parse_number(const char* text, size_t n_bytes);

// --- The GPU (gpu/backend.h has the meaning of each; ids are given here, sizes may pass 2^32)

/// The open device: {"name", "vendor", "architecture", "driver", "features": {...}, "limits":
/// {...}} with the keys of include/handloom/adapter_info.h; nothing if there is none.
HANDLOOM_IMPORT("gpu", adapter) Block* gpu_adapter();
/// `use`: gpu::BufferUse.
HANDLOOM_IMPORT("gpu", create_buffer)
void gpu_create_buffer(uint32_t id, const char* label, size_t label_bytes, double bytes,
                       uint32_t use);
HANDLOOM_IMPORT("gpu", destroy_buffer) void gpu_destroy_buffer(uint32_t id);
HANDLOOM_IMPORT("gpu", write_buffer)
void gpu_write_buffer(uint32_t id, double offset, const void* bytes, size_t n_bytes);
/// `about`: {"label", "entry", "bindings": "read-only-storage storage ...", "constants": {...}}.
HANDLOOM_IMPORT("gpu", create_pipeline)
void gpu_create_pipeline(uint32_t id, const char* about, size_t about_bytes, const char* source,
                         size_t source_bytes);
/// `ranges`: n of gpu::BufferRange.
HANDLOOM_IMPORT("gpu", create_bind_group)
void gpu_create_bind_group(uint32_t id, const char* label, size_t label_bytes, uint32_t pipeline,
                           const void* ranges, size_t n);
HANDLOOM_IMPORT("gpu", destroy_bind_group) void gpu_destroy_bind_group(uint32_t id);
/// `commands`: n of gpu::Command. The last three are a gpu::Stamping.
HANDLOOM_IMPORT("gpu", submit)
void gpu_submit(const char* label, size_t label_bytes, const void* commands, size_t n,
                uint32_t stamping, uint32_t stamps, uint32_t first_stamp);
HANDLOOM_IMPORT("gpu", start_map) void gpu_start_map(uint32_t id, double bytes);
HANDLOOM_IMPORT("gpu", is_mapped) uint32_t gpu_is_mapped(uint32_t id);
/// 0 if the map was refused.
HANDLOOM_IMPORT("gpu", finish_map) uint32_t gpu_finish_map(uint32_t id, void* out, size_t n_bytes);
/// {"code", "message"}, and of a kernel's text {"pipeline", "line", "column"}; nothing if all is
/// well.
HANDLOOM_IMPORT("gpu", take_error) Block* gpu_take_error();
HANDLOOM_IMPORT("gpu", lose_device) void gpu_lose_device();

#undef HANDLOOM_IMPORT

}  // namespace handloom::web
