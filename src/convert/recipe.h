// Which type each tensor gets. f16, q8_0 and q4_0 are one type for all matrices but a few, q4_k_m
// is a mixture; both follow llama.cpp's llama_tensor_get_type as far as handloom writes the types:
//
//   norms, biases, routers   f32
//   output                   q4_0 and q4_k_m: q6_k; else as the rest. A tied embedding is output
//   attn_v, ffn_down         q4_k_m: q6_k in the first eighth of the layers, in the last, and in
//                            every third one between
//   attn_qkv                 q4_k_m: the same, half way to llama.cpp's q5_k for all
//   attn_k, attn_v           q4_k_m with 8 experts: q8_0
//   everything else          f16, q8_0, q4_0 or q4_k
//
// Where a row is no whole number of blocks: K types become q8_0; what rows of 32 do not divide,
// f16. int8-block falls back to smaller blocks, then to f16.
#pragma once

#include "base/dtype.h"
#include "base/result.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace handloom::convert {

enum class Recipe { f16, q8_0, q4_0, q4_k_m, int8_block };

/// "f16", "q8_0", "q4_0", "q4_k_m", "int8-block"
std::vector<std::string> recipe_names();
/// Error: invalid_argument, with the known ones.
Result<Recipe> find_recipe(std::string_view name);
std::string_view to_string(Recipe recipe);

/// GGUF's general.file_type; 0 for int8_block.
uint32_t gguf_file_type(Recipe recipe);

/// What the choice for a matrix depends on.
struct MatrixPlace {
  std::string_view kind;  // "attn_v", "output", "token_embd"
  uint32_t layer = 0;     // of those with layers
  uint32_t n_layers = 1;
  uint32_t n_experts = 0;
  bool tied = false;  // token_embd is the output matrix, too
  uint32_t in_dim = 0;
};

struct Choice {
  DType dtype = DType::f16;
  uint32_t group = 0;         // int8_block
  DType wanted = DType::f16;  // differs where in_dim did not allow it
};

/// `block` is int8_block's.
Choice choose_type(Recipe recipe, uint32_t block, const MatrixPlace& place);

}  // namespace handloom::convert
