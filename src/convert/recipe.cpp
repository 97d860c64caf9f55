#include "convert/recipe.h"

#include "formats/names.h"

#include <array>

namespace handloom::convert {
namespace {

struct Named {
  Recipe recipe;
  std::string_view name;
  uint32_t file_type;  // enum llama_ftype
  DType most;          // of most matrices
};
constexpr std::array kRecipes = {
    Named{Recipe::f16, "f16", 1, DType::f16},
    Named{Recipe::q8_0, "q8_0", 7, DType::q8_0},
    Named{Recipe::q4_0, "q4_0", 2, DType::q4_0},
    Named{Recipe::q4_k_m, "q4_k_m", 15, DType::q4_k},
    Named{Recipe::int8_block, "int8-block", 0, DType::int8_block},
};

const Named& named(Recipe recipe) { return kRecipes[static_cast<size_t>(recipe)]; }

/// Of the layers, about half: those in which errors cost most.
bool gets_more_bits(uint32_t layer, uint32_t n_layers) {
  const uint32_t eighth = n_layers / 8;
  return layer < eighth || layer >= 7 * n_layers / 8 || (layer - eighth) % 3 == 2;
}

/// Before the length of rows has a say.
DType wanted_type(Recipe recipe, const MatrixPlace& place) {
  const DType most = named(recipe).most;
  const bool is_output = place.kind == "output" || (place.tied && place.kind == "token_embd");
  if (is_output) return recipe == Recipe::q4_0 || recipe == Recipe::q4_k_m ? DType::q6_k : most;
  if (recipe != Recipe::q4_k_m) return most;
  const bool is_k = place.kind == "attn_k", is_v = place.kind == "attn_v";
  if (place.n_experts == 8 && (is_k || is_v)) return DType::q8_0;
  const bool matters =
      is_v || place.kind == "attn_qkv" || place.kind == "ffn_down" || place.kind == "ffn_down_exps";
  return matters && gets_more_bits(place.layer, place.n_layers) ? DType::q6_k : most;
}

/// The largest of int8_block's groups, up to `block`, that divides the row; 0: none.
uint32_t group_for(uint32_t block, uint32_t in_dim) {
  for (const uint32_t group : {128u, 64u, 32u}) {
    if (group <= block && in_dim % group == 0) return group;
  }
  return 0;
}

}  // namespace

std::vector<std::string> recipe_names() {
  std::vector<std::string> names;
  for (const Named& one : kRecipes) names.emplace_back(one.name);
  return names;
}

Result<Recipe> find_recipe(std::string_view name) {
  std::string known;
  for (const Named& one : kRecipes) {
    if (one.name == name) return one.recipe;
    known += known.empty() ? "" : ", ";
    known += one.name;
  }
  return fail(ErrorCode::invalid_argument, "quantize: type '{}' is not one of {}",
              formats::printable(name), known);
}

std::string_view to_string(Recipe recipe) { return named(recipe).name; }

uint32_t gguf_file_type(Recipe recipe) { return named(recipe).file_type; }

Choice choose_type(Recipe recipe, uint32_t block, const MatrixPlace& place) {
  Choice choice{.wanted = wanted_type(recipe, place)};
  choice.dtype = choice.wanted;
  if (choice.dtype == DType::int8_block) {
    choice.group = group_for(block, place.in_dim);
    if (choice.group == 0) choice.dtype = DType::f16;
    return choice;
  }
  if (place.in_dim % block_size(choice.dtype).values != 0) choice.dtype = DType::q8_0;
  if (place.in_dim % block_size(choice.dtype).values != 0) choice.dtype = DType::f16;
  return choice;
}

}  // namespace handloom::convert
