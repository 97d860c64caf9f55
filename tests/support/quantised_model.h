// A golden folder's model as a GGUF file whose matrices have a quantised type, and the same
// dequantised values as a folder of f32: what both compute must agree.
#pragma once

#include "base/half.h"
#include "formats/gguf_config.h"
#include "formats/gguf_vocabulary.h"
#include "formats/gguf_writer.h"
#include "formats/model_files.h"
#include "formats/quantise.h"
#include "formats/safetensors.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

namespace handloom::test {

using Bytes = std::vector<std::byte>;

/// A plain encoder for types that quantise.h does not write: the right bits in the right places,
/// with no search for good scales. `values` is one block.
inline void encode_block(DType dtype, const float* values, std::byte* out) {
  const auto [n, n_bytes] = block_size(dtype);
  std::vector<uint8_t> b(n_bytes, 0);
  const auto put_half = [&](size_t at, float value) {
    const uint16_t half = f32_to_f16(value);
    std::memcpy(b.data() + at, &half, 2);
    return f16_to_f32(half);
  };
  const auto clamp = [](float code, int low, int high) {
    return static_cast<uint32_t>(std::clamp(static_cast<int>(std::lround(code)), low, high));
  };
  float most = 1e-6f, least = 0, largest = 0;
  for (uint32_t i = 0; i < n; ++i) {
    most = std::max(most, std::abs(values[i]));
    least = std::min(least, values[i]);
    largest = std::max(largest, values[i]);
  }
  const auto nibble = [&](size_t at, uint32_t i, uint32_t code) {
    b[at + i % 16] = static_cast<uint8_t>(b[at + i % 16] | (code & 15) << (i < 16 ? 0 : 4));
  };
  const auto nearest = [](float x, const float* levels) {
    uint32_t best = 0;
    for (uint32_t c = 1; c < 16; ++c) {
      if (std::abs(x - levels[c]) < std::abs(x - levels[best])) best = c;
    }
    return best;
  };
  static constexpr float kIq4[] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                   1,    13,   25,  38,  53,  69,  89,  113};
  static constexpr float kE2m1[] = {0, 0.5, 1, 1.5, 2, 3, 4, 6, 0, -0.5, -1, -1.5, -2, -3, -4, -6};
  switch (dtype) {
    case DType::q5_0: {
      const float d = put_half(0, most / 15);
      for (uint32_t i = 0; i < 32; ++i) {
        const uint32_t code = clamp(values[i] / d + 16, 0, 31);
        nibble(6, i, code);
        b[2 + i / 8] = static_cast<uint8_t>(b[2 + i / 8] | (code >> 4) << (i % 8));
      }
      break;
    }
    case DType::q5_1: {
      const float d = put_half(0, std::max((largest - least) / 31, 1e-6f)), m = put_half(2, least);
      for (uint32_t i = 0; i < 32; ++i) {
        const uint32_t code = clamp((values[i] - m) / d, 0, 31);
        nibble(8, i, code);
        b[4 + i / 8] = static_cast<uint8_t>(b[4 + i / 8] | (code >> 4) << (i % 8));
      }
      break;
    }
    case DType::iq4_nl: {
      const float d = put_half(0, most / 127);
      for (uint32_t i = 0; i < 32; ++i) nibble(2, i, nearest(values[i] / d, kIq4));
      break;
    }
    case DType::mxfp4: {
      b[0] = static_cast<uint8_t>(127 + std::ceil(std::log2(most / 6)));
      const float d = std::ldexp(1.0f, b[0] - 127);
      for (uint32_t i = 0; i < 32; ++i) nibble(1, i, nearest(values[i] / d, kE2m1));
      break;
    }
    case DType::q2_k: {  // one scale and one minimum for all 16 groups
      const float dmin = put_half(82, std::max(-least / 15, 1e-6f));
      const float d = put_half(80, std::max((largest - least) / 45, 1e-6f));
      for (size_t g = 0; g < 16; ++g) b[g] = 15 | 15 << 4;
      for (uint32_t i = 0; i < 256; ++i) {
        const uint32_t code = clamp((values[i] + 15 * dmin) / (15 * d), 0, 3);
        uint8_t& to = b[16 + i / 128 * 32 + i % 32];
        to = static_cast<uint8_t>(to | code << (2 * (i % 128 / 32)));
      }
      break;
    }
    case DType::q3_k: {  // scale 31 (stored 63) for all 16 groups
      const float d = 31 * put_half(108, most / 4 / 31);
      for (size_t j = 0; j < 8; ++j) b[96 + j] = 0xff;
      for (size_t j = 8; j < 12; ++j) b[96 + j] = 0xff;
      for (uint32_t i = 0; i < 256; ++i) {
        const uint32_t code = clamp(values[i] / d + 4, 0, 7);
        uint8_t& to = b[32 + i / 128 * 32 + i % 32];
        to = static_cast<uint8_t>(to | (code & 3) << (2 * (i % 128 / 32)));
        b[i % 32] = static_cast<uint8_t>(b[i % 32] | (code >> 2) << (i / 32));
      }
      break;
    }
    case DType::q5_k: {  // scale and minimum 15 for all 8 groups
      const float d = 15 * put_half(0, std::max((largest - least) / 31 / 15, 1e-6f));
      const float m = 15 * put_half(2, std::max(-least / 15, 1e-6f));
      for (size_t j = 0; j < 8; ++j) b[4 + j] = 15;
      for (size_t j = 8; j < 12; ++j) b[4 + j] = 15 | 15 << 4;
      for (uint32_t i = 0; i < 256; ++i) {
        const uint32_t code = clamp((values[i] + m) / d, 0, 31);
        uint8_t& to = b[48 + i / 64 * 32 + i % 32];
        to = static_cast<uint8_t>(to | (code & 15) << (4 * (i % 64 / 32)));
        b[16 + i % 32] = static_cast<uint8_t>(b[16 + i % 32] | (code >> 4) << (i / 32));
      }
      break;
    }
    default: ADD_FAILURE() << "no encoder for " << to_string(dtype);
  }
  std::memcpy(out, b.data(), n_bytes);
}

inline Bytes encode(DType dtype, std::span<const float> values, uint32_t in_dim) {
  const auto [n, n_bytes] = block_size(dtype);
  Bytes out(values.size() / n * n_bytes);
  switch (dtype) {
    case DType::f32: std::memcpy(out.data(), values.data(), out.size()); return out;
    case DType::f16:
    case DType::q8_0:
    case DType::q4_0:
    case DType::q4_1:
    case DType::q4_k:
    case DType::q6_k: {
      const auto done = formats::quantise_rows(dtype, values, in_dim, out);
      EXPECT_TRUE(done) << done.error().message;
      return out;
    }
    default: break;
  }
  for (size_t i = 0; i < values.size() / n; ++i) {
    encode_block(dtype, values.data() + i * n, out.data() + i * n_bytes);
  }
  return out;
}

inline bool is_projection(const formats::TensorInfo& t) {
  return t.shape.rank() == 2 && t.name.find("norm") == std::string::npos;
}

/// Writes `to`.gguf with the projections, embedding and output as `dtype`, and the folder `to` with
/// the values that these blocks stand for, as f32.
inline void write_quantised(const std::string& folder, const std::string& to, DType dtype) {
  using namespace formats;
  const auto model = open_model(folder);
  ASSERT_TRUE(model) << model.error().message;
  const Config& c = model->config;

  std::vector<GgufTensor> heads;
  std::vector<Bytes> blocks;
  std::vector<TensorInfo> plain;
  std::vector<std::vector<float>> values;
  values.reserve(model->checkpoint.tensors().size());
  const auto add = [&](const std::string& ours) {
    const TensorInfo* t = nullptr;
    for (const std::string& name : names_in_file(Naming::hugging_face, ours)) {
      if (t == nullptr) t = model->checkpoint.find(name);
    }
    if (t == nullptr) return;
    values.push_back(to_f32(*t).value());
    std::vector<float>& v = values.back();
    const uint32_t in_dim = t->shape.dim(t->shape.rank() - 1);
    const bool wide = in_dim % block_size(dtype).values == 0;
    const DType as = !is_projection(*t) ? DType::f32 : wide ? dtype : DType::q8_0;
    Bytes bytes = encode(as, v, in_dim);
    const TensorInfo encoded{.name = t->name, .dtype = as, .shape = t->shape, .bytes = bytes};
    v = to_f32(encoded).value();
    const bool permuted = c.architecture == "llama" &&
                          (ours.ends_with("attn_q.weight") || ours.ends_with("attn_k.weight"));
    if (permuted) {  // row [half][j] of a head to [j][half]
      const size_t row = bytes.size() / t->shape.dim(0);
      Bytes moved(bytes.size());
      for (uint32_t r = 0; r < t->shape.dim(0); ++r) {
        const uint32_t i = r % c.head_dim, half = c.head_dim / 2;
        const uint32_t to_row = r - i + i % half * 2 + i / half;
        std::memcpy(moved.data() + to_row * row, bytes.data() + r * row, row);
      }
      bytes = std::move(moved);
    }
    heads.push_back({names_in_file(Naming::gguf, ours).front(), as, t->shape});
    blocks.push_back(std::move(bytes));
    plain.push_back({.name = t->name,
                     .dtype = DType::f32,
                     .shape = t->shape,
                     .bytes = std::as_bytes(std::span(v))});
  };
  add("token_embd.weight");
  add("output_norm.weight");
  add("output.weight");
  for (uint32_t il = 0; il < c.n_layers; ++il) {
    for (const char* name : {"attn_norm", "attn_qkv", "attn_q", "attn_k", "attn_v", "attn_output",
                             "ffn_norm", "ffn_gate_up", "ffn_gate", "ffn_up", "ffn_down"}) {
      add(fmt::format("blk.{}.{}.weight", il, name));
    }
  }
  auto fields = fields_from_config(c);
  ASSERT_TRUE(fields) << fields.error().message;
  PlainVocabulary vocabulary{.model = "gpt2"};
  vocabulary.tokenizer_json = read_text_file(folder + "/tokenizer.json").value();
  for (uint32_t i = 0; i < c.vocab_size; ++i) vocabulary.pieces.push_back(fmt::format("[{}]", i));
  add_vocabulary(vocabulary, *fields);
  const auto written = write_gguf(to + ".gguf", *fields, heads,
                                  [&](size_t i) -> Result<Bytes> { return blocks[i]; });
  ASSERT_TRUE(written) << written.error().message;

  std::filesystem::create_directories(to);
  for (const char* file : {"config.json", "tokenizer.json"}) {
    std::filesystem::copy_file(folder + "/" + file, to + "/" + file,
                               std::filesystem::copy_options::overwrite_existing);
  }
  const auto saved = write_safetensors(to + "/model.safetensors", plain);
  ASSERT_TRUE(saved) << saved.error().message;
}

}  // namespace handloom::test
