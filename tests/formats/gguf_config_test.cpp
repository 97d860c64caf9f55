// A Config from GGUF metadata: as published files state it, as fields_from_config writes it, and
// every way in which one is refused.
#include "formats/gguf_config.h"

#include "tests/formats/gguf_support.h"
#include "tests/support/paths.h"

#include <cmath>
#include <functional>

namespace handloom::formats {
namespace {

Result<Config> read(const GgufFile& file) {
  const std::string bytes = file.bytes();
  TRY(const Gguf gguf, Gguf::parse(as_bytes(bytes), "f"));
  return config_from_gguf(gguf);
}

/// The head of a model of `n_layers` layers, 64 wide with 4 heads over 2, and 8 tokens.
GgufFile base(const std::string& arch, uint32_t n_layers = 2) {
  GgufFile f;
  f.text("general.architecture", arch).u32(arch + ".block_count", n_layers);
  f.u32(arch + ".context_length", 4096).u32(arch + ".embedding_length", 64);
  f.u32(arch + ".feed_forward_length", 96).u32(arch + ".attention.head_count", 4);
  f.u32(arch + ".attention.head_count_kv", 2);
  f.f32(arch + ".attention.layer_norm_rms_epsilon", 1e-5f);
  f.tensor("token_embd.weight", 8, {64, 8}, std::string(2 * 34 * 8, '\1'));
  return f;
}

/// A rope tensor of the 8 values that heads of 16 have.
GgufFile& add_divisors(GgufFile& file, std::string_view name, float first, float step) {
  std::string values;
  for (int i = 0; i < 8; ++i) values += raw(first + step * static_cast<float>(i));
  return file.tensor(name, 0, {8}, values);
}

TEST(GgufConfig, Llama) {
  GgufFile f = base("llama");
  f.u32("llama.rope.dimension_count", 16).f32("llama.rope.freq_base", 500000.0f);
  f.u32("llama.vocab_size", 8).u32("tokenizer.ggml.bos_token_id", 1);
  f.u32("tokenizer.ggml.eos_token_id", 2).u32("tokenizer.ggml.eot_token_id", 5);
  f.u32("tokenizer.ggml.eom_token_id", 2);
  f.tensor("output.weight", 8, {64, 8}, std::string(2 * 34 * 8, '\1'));
  add_divisors(f, "rope_freqs.weight", 1, 4);
  ASSERT_OK(const Config c, read(f));
  Config expected{.architecture = "llama", .model_dim = 64, .ffn_dim = 96, .n_layers = 2};
  expected.n_heads = 4;
  expected.n_kv_heads = 2;
  expected.head_dim = 16;
  expected.vocab_size = 8;
  expected.max_seq_len = 4096;
  expected.norm_eps = 1e-5f;
  expected.rope = {.theta = 500000, .dim = 16, .scaling = RopeScaling::divisors};
  expected.rope.divisors = {1, 5, 9, 13, 17, 21, 25, 29};
  expected.eos_ids = {2, 5};
  expected.bos_id = 1;
  expected.attention_scale = 0.25f;
  expected.permuted_qk = true;
  EXPECT_EQ(c, expected);
  const std::vector<float> plain = Rope{.theta = 500000, .dim = 16}.inv_freq();
  const std::vector<float> freqs = c.rope.inv_freq(4096);
  for (size_t i = 0; i < 8; ++i) EXPECT_EQ(freqs[i], plain[i] / c.rope.divisors[i]);
}

TEST(GgufConfig, AbsentKeysOfALlama) {
  GgufFile f = base("llama");
  ASSERT_OK(const Config c, read(f));
  EXPECT_EQ(c.rope, (Rope{.theta = 10000, .dim = 16}));
  EXPECT_TRUE(c.tied_embeddings);
  EXPECT_TRUE(c.eos_ids.empty() && !c.bos_id && c.windows.empty());
}

TEST(GgufConfig, MistralIsALlamaWithAWindow) {
  ASSERT_OK(const Config c, read(base("llama").u32("llama.attention.sliding_window", 1024)));
  EXPECT_EQ(c.architecture, "mistral");
  EXPECT_EQ(c.windows, (std::vector<uint32_t>{1024, 1024}));
  EXPECT_TRUE(c.permuted_qk);
}

TEST(GgufConfig, Phi3WithTwoSetsOfFactors) {
  GgufFile f = base("phi3");
  f.u32("phi3.rope.scaling.original_context_length", 1024).u32("phi3.rope.dimension_count", 16);
  f.u32("phi3.attention.sliding_window", 0);
  add_divisors(f, "rope_factors_long.weight", 2, 1);
  add_divisors(f, "rope_factors_short.weight", 1, 0.5f);
  ASSERT_OK(const Config computed, read(f));
  EXPECT_EQ(computed.rope.scaling, RopeScaling::longrope);
  EXPECT_EQ(computed.rope.long_factor[7], 9.0f);
  EXPECT_EQ(computed.rope.short_factor[7], 4.5f);
  EXPECT_EQ(computed.rope.factor, 4.0f);
  EXPECT_EQ(computed.rope.original_max_seq_len, 1024u);
  EXPECT_FLOAT_EQ(computed.rope.attention_factor, std::sqrt(1.2f));  // 1 + ln 4 / ln 1024
  EXPECT_EQ(computed.windows, (std::vector<uint32_t>{0, 0}));
  EXPECT_TRUE(computed.fused_projections);
  EXPECT_FALSE(computed.permuted_qk);
  ASSERT_OK(const Config stated, read(f.f32("phi3.rope.scaling.attn_factor", 1.25f)));
  EXPECT_EQ(stated.rope.attention_factor, 1.25f);
}

TEST(GgufConfig, Phi3WithOneRotation) {
  GgufFile f = base("phi3").u32("phi3.rope.scaling.original_context_length", 4096);
  ASSERT_OK(const Config c, read(f.u32("phi3.attention.sliding_window", 2047)));
  EXPECT_EQ(c.rope, (Rope{.theta = 10000, .dim = 16}));
  EXPECT_EQ(c.windows, (std::vector<uint32_t>{2047, 2047}));
}

TEST(GgufConfig, Qwens) {
  ASSERT_OK(const Config qwen2, read(base("qwen2").f32("qwen2.rope.freq_base", 1e6f)));
  EXPECT_TRUE(qwen2.qkv_bias && !qwen2.qk_norm);
  EXPECT_EQ(qwen2.rope.theta, 1e6f);
  ASSERT_OK(const Config qwen3, read(base("qwen3")
                                         .u32("qwen3.attention.key_length", 32)
                                         .u32("qwen3.attention.value_length", 32)));
  EXPECT_TRUE(qwen3.qk_norm && !qwen3.qkv_bias && !qwen3.permuted_qk);
  EXPECT_EQ(qwen3.head_dim, 32u);
  EXPECT_EQ(qwen3.rope.dim, 32u);
  GgufFile f =
      base("qwen3moe").u32("qwen3moe.expert_count", 8).u32("qwen3moe.expert_used_count", 2);
  ASSERT_OK(const Config moe, read(f.u32("qwen3moe.expert_feed_forward_length", 24)));
  EXPECT_EQ(moe.architecture, "qwen3_moe");
  EXPECT_TRUE(moe.qk_norm && moe.normalise_experts);
  EXPECT_EQ(moe.n_experts, 8u);
  EXPECT_EQ(moe.n_experts_used, 2u);
  EXPECT_EQ(moe.expert_ffn_dim, 24u);
  ASSERT_OK(const Config raw_shares, read(f.flag("qwen3moe.expert_weights_norm", false)));
  EXPECT_FALSE(raw_shares.normalise_experts);
}

TEST(GgufConfig, Gemma2) {
  GgufFile f = base("gemma2", 3).f32("gemma2.attn_logit_softcapping", 40.0f);
  f.f32("gemma2.final_logit_softcapping", 20.0f).u32("gemma2.attention.sliding_window", 512);
  ASSERT_OK(const Config c, read(f));
  EXPECT_EQ(c.architecture, "gemma2");
  EXPECT_EQ(c.windows, (std::vector<uint32_t>{512, 0, 512}));
  EXPECT_EQ(c.attn_softcap, 40.0f);
  EXPECT_EQ(c.final_softcap, 20.0f);
  EXPECT_EQ(c.embedding_scale, 8.0f);
  EXPECT_EQ(c.attention_scale, 0.25f);
  EXPECT_EQ(c.activation, Activation::gelu_tanh);
  EXPECT_TRUE(c.gemma_norms && c.norms_include_one && !c.qk_norm && !c.local_rope);
  ASSERT_OK(const Config absent, read(base("gemma2")));
  EXPECT_EQ(absent.windows, (std::vector<uint32_t>{4096, 0}));
  EXPECT_EQ(absent.attn_softcap, 50.0f);
  EXPECT_EQ(absent.final_softcap, 30.0f);
}

TEST(GgufConfig, Gemma3) {
  GgufFile f = base("gemma3", 7).u32("gemma3.attention.sliding_window", 512);
  f.f32("gemma3.rope.freq_base", 1e6f).text("gemma3.rope.scaling.type", "linear");
  ASSERT_OK(const Config c, read(f.f32("gemma3.rope.scaling.factor", 8.0f)));
  EXPECT_EQ(c.architecture, "gemma3_text");
  EXPECT_EQ(c.windows, (std::vector<uint32_t>{512, 512, 512, 512, 512, 0, 512}));
  EXPECT_EQ(c.rope.scaling, RopeScaling::linear);
  EXPECT_EQ(c.rope.factor, 8.0f);
  EXPECT_EQ(c.local_rope, (Rope{.theta = 10000, .dim = 16}));
  EXPECT_TRUE(c.qk_norm && c.gemma_norms && c.norms_include_one);
  EXPECT_EQ(c.attn_softcap, 0.0f);
  EXPECT_EQ(c.final_softcap, 0.0f);
  f.f32("gemma3.rope.freq_base_swa", 20000.0f).u32("gemma3.attention.sliding_window_pattern", 2);
  ASSERT_OK(const Config stated, read(f));
  EXPECT_EQ(stated.local_rope->theta, 20000.0f);
  EXPECT_EQ(stated.windows, (std::vector<uint32_t>{512, 0, 512, 0, 512, 0, 512}));
  ASSERT_OK(const Config no_window, read(base("gemma3")));
  EXPECT_EQ(no_window.windows, (std::vector<uint32_t>{0, 0}));
}

TEST(GgufConfig, WhichLayersSlideMayBeAList) {
  GgufFile f = base("gemma3", 3).u32("gemma3.attention.sliding_window", 9);
  f.array("gemma3.attention.sliding_window_pattern", 7, 3, std::string("\0\1\1", 3));
  ASSERT_OK(const Config c, read(f));
  EXPECT_EQ(c.windows, (std::vector<uint32_t>{0, 9, 9}));
  GgufFile all = base("gemma3").u32("gemma3.attention.sliding_window", 9);
  ASSERT_OK(const Config each, read(all.u32("gemma3.attention.sliding_window_pattern", 0)));
  EXPECT_EQ(each.windows, (std::vector<uint32_t>{9, 9}));
}

TEST(GgufConfig, AttentionScaleOfTheTwoLargeGemmasAndOfAKey) {
  const auto of_27b = [](const char* arch, uint32_t n_layers) {
    const std::string name = arch;
    return base(name, n_layers).u32(name + ".attention.key_length", 64);
  };
  // 64 wide over 4 heads, where a head is 64 wide, too.
  EXPECT_EQ(read(of_27b("gemma2", 46))->attention_scale, 0.25f);
  EXPECT_EQ(read(of_27b("gemma2", 42))->attention_scale, 0.125f);
  EXPECT_EQ(read(of_27b("gemma3", 62))->attention_scale, 0.25f);
  EXPECT_EQ(read(of_27b("gemma3", 46))->attention_scale, 0.125f);
  EXPECT_EQ(read(of_27b("llama", 46))->attention_scale, 0.125f);
  EXPECT_EQ(read(of_27b("gemma2", 46).f32("gemma2.attention.scale", 0.5f))->attention_scale, 0.5f);
}

TEST(GgufConfig, NumbersMayBeGivenPerLayerIfAlike) {
  GgufFile f;
  f.text("general.architecture", "llama").u32("llama.block_count", 2);
  f.key("llama.context_length", 10, raw(uint64_t{64})).u32("llama.embedding_length", 64);
  f.array("llama.feed_forward_length", 4, 2, raw(96u) + raw(96u));
  f.array("llama.attention.head_count", 5, 2, raw(4) + raw(4));
  f.f32("llama.attention.layer_norm_rms_epsilon", 1e-5f);
  f.tensor("token_embd.weight", 8, {64, 8}, std::string(2 * 34 * 8, '\1'));
  ASSERT_OK(const Config c, read(f));
  EXPECT_EQ(c.ffn_dim, 96u);
  EXPECT_EQ(c.n_kv_heads, 4u);  // absent: as many as heads
  const auto with = [&](uint64_t count, const std::string& each) {
    GgufFile g = f;
    return read(g.array("llama.attention.head_count_kv", 4, count, each));
  };
  EXPECT_EQ(with(2, raw(2u) + raw(2u))->n_kv_heads, 2u);
  expect_error(with(2, raw(2u) + raw(4u)), ErrorCode::unsupported,
               {"f: 'llama.attention.head_count_kv' holds 2 and 4, only layers that are alike"});
  expect_error(with(3, raw(2u) + raw(2u) + raw(2u)), ErrorCode::bad_format,
               {"has 3 numbers, expected one for each of 2 layers"});
  expect_error(with(0, ""), ErrorCode::bad_format, {"has 0 numbers"});
  expect_error(with(2, raw(0u) + raw(0u)), ErrorCode::bad_format, {"is 0, expected 1 to 1024"});
}

TEST(GgufConfig, LinearScalingUnderOldAndNewKeys) {
  const auto rope = [](const std::function<void(GgufFile&)>& add) {
    GgufFile f = base("llama");
    add(f);
    return read(f)->rope;
  };
  const Rope plain{.theta = 10000, .dim = 16};
  Rope linear = plain;
  linear.scaling = RopeScaling::linear;
  linear.factor = 4;
  EXPECT_EQ(rope([](GgufFile& f) { f.f32("llama.rope.scaling.factor", 4); }), linear);
  EXPECT_EQ(rope([](GgufFile& f) { f.f32("llama.rope.scale_linear", 4); }), linear);
  EXPECT_EQ(rope([](GgufFile& f) { f.f32("llama.rope.scale_linear", 1); }), plain);
  EXPECT_EQ(rope([](GgufFile& f) { f.f32("llama.rope.scaling.factor", 0); }), plain);
  EXPECT_EQ(rope([](GgufFile& f) {
              f.f32("llama.rope.scaling.factor", 4).text("llama.rope.scaling.type", "none");
            }),
            plain);
}

struct Refusal {
  std::function<void(GgufFile&)> add;
  ErrorCode code;
  std::string fragment;
};

void expect_refusals(const std::string& arch, const std::vector<Refusal>& refusals) {
  for (const auto& [add, code, fragment] : refusals) {
    SCOPED_TRACE(fragment);
    GgufFile f = base(arch);
    add(f);
    expect_error(read(f), code, {"f: ", fragment});
  }
}

TEST(GgufConfig, RefusesWhatHandloomDoesNotCompute) {
  constexpr auto other = ErrorCode::unsupported, bad = ErrorCode::bad_format;
  expect_error(
      read(base("mamba")), other,
      {"'general.architecture' is 'mamba', which is not supported (supported: llama, phi3, "
       "qwen2, qwen3, qwen3moe, gemma2, gemma3)"});
  expect_error(read(GgufFile()), bad, {"'general.architecture' is missing"});
  expect_error(read(base("llama").text("general.type", "adapter")), other,
               {"'general.type' is 'adapter', only 'model' is supported"});
  const auto u32 = [](std::string key, uint32_t value) {
    return [=](GgufFile& f) { f.u32(key, value); };
  };
  const auto f32 = [](std::string key, float value) {
    return [=](GgufFile& f) { f.f32(key, value); };
  };
  expect_refusals(
      "llama",
      {{u32("llama.expert_count", 8), other, "'llama.expert_count' is 8, only 0 is supported"},
       {u32("llama.rope.dimension_count", 8), other, "is 8, only the width of a head (16)"},
       {u32("llama.attention.value_length", 8), other, "'llama.attention.value_length' is 8"},
       {f32("llama.attention.max_alibi_bias", 8), other, "is 8, only 0 is supported"},
       {f32("llama.attention.clamp_kqv", 8), other, "'llama.attention.clamp_kqv' is 8"},
       {f32("llama.logit_scale", 0.5f), other, "'llama.logit_scale' is 0.5, only 1 is supported"},
       {f32("llama.residual_scale", 0.5f), other, "'llama.residual_scale' is 0.5"},
       {f32("llama.embedding_scale", 12), other, "'llama.embedding_scale' is 12"},
       {f32("llama.attn_logit_softcapping", 50), other, "'llama.attn_logit_softcapping' is 50"},
       {f32("llama.final_logit_softcapping", 30), other, "'llama.final_logit_softcapping' is 30"},
       {f32("llama.rope.scaling.attn_factor", 2), other, "is 2, only 1 is supported"},
       {f32("llama.rope.freq_base_swa", 2), other, "is 2, only 10000 is supported"},
       {u32("llama.attention.sliding_window_pattern", 2), other, "only absent is supported"},
       {[](GgufFile& f) { f.flag("llama.attention.causal", false); }, other,
        "'llama.attention.causal' is false, only true is supported"},
       {[](GgufFile& f) { f.flag("llama.use_parallel_residual", true); }, other, "is true"},
       {[](GgufFile& f) { f.text("llama.rope.scaling.type", "yarn"); }, other,
        "'llama.rope.scaling.type' is 'yarn', which is not supported (supported: none, linear"},
       {[](GgufFile& f) { f.text("llama.rope.scaling.type", "longrope"); }, bad,
        "tensor 'rope_factors_long.weight' is missing, expected [8] for longrope"},
       {[](GgufFile& f) { f.array("llama.rope.dimension_sections", 5, 1, raw(1)); }, other,
        "'llama.rope.dimension_sections' is an array of 1 i32, only absent is supported"},
       {[](GgufFile& f) {
          add_divisors(f, "rope_freqs.weight", 1, 1).f32("llama.rope.scaling.factor", 2);
        },
        other, "tensor 'rope_freqs.weight' is there beside 'llama.rope.scaling.factor'"}});
  expect_refusals(
      "qwen2", {{u32("qwen2.attention.sliding_window", 32), other, "is 32, only 0 is supported"}});
}

TEST(GgufConfig, RefusesTensorsItHasNoUseFor) {
  constexpr auto other = ErrorCode::unsupported, bad = ErrorCode::bad_format;
  const auto tensor = [](std::string name) {
    return [=](GgufFile& f) { f.tensor(name, 0, {8}, std::string(32, '\0')); };
  };
  expect_refusals("llama",
                  {{tensor("blk.0.attn_q.bias"), other,
                    "holds tensor 'blk.0.attn_q.bias', which handloom has no use for in a model of "
                    "architecture 'llama'"},
                   {tensor("blk.0.attn_q_norm.weight"), other, "'blk.0.attn_q_norm.weight'"},
                   {tensor("output.bias"), other, "'output.bias'"},
                   {tensor("blk.0.attn_qkv.weight"), other, "'blk.0.attn_qkv.weight'"},
                   {tensor("blk.x.attn_q.weight"), other, "'blk.x.attn_q.weight'"},
                   {tensor("blk.99999999999.attn_q.weight"), other, "'blk.99999999999.attn_q"},
                   {tensor("rope_factors_long.weight"), other, "'rope_factors_long.weight'"},
                   {tensor("blk.2.attn_q.weight"), bad,
                    "holds tensor 'blk.2.attn_q.weight', expected layers up to 1"}});
  expect_refusals("qwen2", {{tensor("rope_freqs.weight"), other, "'rope_freqs.weight'"}});
  GgufFile known = base("qwen2");
  tensor("blk.1.attn_k.bias")(known);
  EXPECT_TRUE(read(known).has_value());
}

TEST(GgufConfig, RefusesNumbersOutOfRange) {
  constexpr auto bad = ErrorCode::bad_format;
  // Keys that base() has, with another value.
  const auto replaced = [](std::string_view key, uint32_t value) {
    GgufFile f = base("llama");
    const std::string name = raw_text(std::string("llama.") + std::string(key)) + raw(4u);
    f.keys.replace(f.keys.find(name) + name.size(), 4, raw(value));
    return read(f);
  };
  expect_error(replaced("block_count", 0), bad,
               {"f: 'llama.block_count' is 0, expected 1 to 1000"});
  expect_error(replaced("block_count", ~0u), bad, {"is 4294967295, expected 1 to 1000"});
  expect_error(replaced("context_length", 0), bad, {"is 0, expected 1 to 16777216"});
  expect_error(replaced("embedding_length", 65537), bad, {"is 65537, expected 1 to 65536"});
  expect_error(replaced("embedding_length", 72), bad,
               {"'token_embd.weight' has shape [8, 64], expected 1 to 16777216 rows of 72"});
  expect_error(
      replaced("embedding_length", 63), bad,
      {"'llama.embedding_length' is 63, expected a multiple of llama.attention.head_count"});
  expect_error(replaced("feed_forward_length", 0), bad, {"is 0, expected 1 to 1048576"});
  expect_error(replaced("attention.head_count", 0), bad, {"is 0, expected 1 to 1024"});
  expect_error(replaced("attention.head_count_kv", 3), bad,
               {"is 3, expected a divisor of llama.attention.head_count (4)"});
  expect_error(replaced("attention.head_count", 64), bad,
               {"'llama.attention.key_length' is 1, expected an even number up to 1024"});
  const auto u32 = [](std::string key, uint32_t value) {
    return [=](GgufFile& f) { f.u32(key, value); };
  };
  const auto f32 = [](std::string key, float value) {
    return [=](GgufFile& f) { f.f32(key, value); };
  };
  expect_refusals(
      "llama",
      {{u32("llama.attention.key_length", 15), bad, "is 15, expected an even number up to 1024"},
       {u32("llama.attention.key_length", 0), bad, "is 0, expected 2 to 1024"},
       {u32("llama.attention.sliding_window", 1u << 25), bad,
        "is 33554432, expected 0 to 16777216"},
       {u32("tokenizer.ggml.eos_token_id", 8), bad, "is 8, expected less than the 8 tokens"},
       {u32("tokenizer.ggml.bos_token_id", ~0u), bad,
        "'tokenizer.ggml.bos_token_id' is 4294967295"},
       {f32("llama.rope.freq_base", 1), bad, "'llama.rope.freq_base' is 1, expected more than 1"},
       {f32("llama.rope.freq_base", 0.0f / 0.0f), bad, "'llama.rope.freq_base' is"},
       {f32("llama.attention.scale", 0), bad, "'llama.attention.scale' is 0, expected more than 0"},
       {f32("llama.rope.scaling.factor", 0.5f), bad, "is 0.5, expected at least 1"},
       {f32("llama.rope.scaling.factor", 1e30f), bad, "'llama.rope.scaling.factor' is"},
       {[](GgufFile& f) {
          f.texts("tokenizer.ggml.tokens", {"a", "b"});
        },
        bad, "'tokenizer.ggml.tokens' lists 2 tokens, expected 8, the rows of token_embd.weight"},
       {[](GgufFile& f) { add_divisors(f, "rope_freqs.weight", 0, 1); }, bad,
        "tensor 'rope_freqs.weight' holds 0, expected at least 1e-06 and at most 1000000"},
       {[](GgufFile& f) { f.tensor("rope_freqs.weight", 0, {4}, std::string(16, '\1')); }, bad,
        "tensor 'rope_freqs.weight' is f32 [4], expected f32 [8]"},
       {[](GgufFile& f) { f.tensor("rope_freqs.weight", 26, {8}, std::string(32, '\1')); }, bad,
        "tensor 'rope_freqs.weight' is i32 [8], expected f32 [8]"}});
  expect_refusals("phi3", {{[](GgufFile& f) { add_divisors(f, "rope_factors_long.weight", 1, 1); },
                            bad, "tensor 'rope_factors_short.weight' is missing"},
                           {[](GgufFile& f) {
                              add_divisors(f, "rope_factors_long.weight", 1, 1);
                              add_divisors(f, "rope_factors_short.weight", 1, 1);
                            },
                            bad, "'phi3.rope.scaling.original_context_length' is missing"}});
  expect_refusals(
      "gemma3",
      {{[](GgufFile& f) { f.array("gemma3.attention.sliding_window_pattern", 7, 1, "\1"); }, bad,
        "has 1 values, expected one for each of 2 layers"}});
  GgufFile no_eps;
  no_eps.text("general.architecture", "llama").u32("llama.block_count", 2);
  no_eps.u32("llama.context_length", 64).u32("llama.embedding_length", 64);
  no_eps.u32("llama.feed_forward_length", 96).u32("llama.attention.head_count", 4);
  expect_error(read(no_eps), ErrorCode::not_found, {"has no tensor 'token_embd.weight'"});
  no_eps.tensor("token_embd.weight", 8, {64, 8}, std::string(2 * 34 * 8, '\1'));
  expect_error(read(no_eps), bad, {"'llama.attention.layer_norm_rms_epsilon' is missing"});
}

/// Writes the metadata of `config` with as many tensors as reading it takes, and reads it.
Result<Config> round_trip(const Config& config) {
  const TempFolder folder;
  TRY(const GgufFields fields, fields_from_config(config));
  std::vector<GgufTensor> tensors = {
      {"token_embd.weight", DType::bf16, {config.vocab_size, config.model_dim}}};
  if (!config.tied_embeddings) tensors.push_back({"output.weight", DType::f16, {1, 1}});
  const std::vector<RopeTensor> ropes = rope_tensors(config);
  const size_t n_others = tensors.size();
  for (const RopeTensor& rope : ropes) {
    tensors.push_back({rope.name, DType::f32, {static_cast<uint32_t>(rope.values.size())}});
  }
  const auto bytes_of = [&](size_t i) -> Result<std::vector<std::byte>> {
    if (i < n_others) return std::vector<std::byte>(tensors[i].shape.count() * 2);
    const auto bytes = std::as_bytes(std::span(ropes[i - n_others].values));
    return std::vector<std::byte>(bytes.begin(), bytes.end());
  };
  CHECK_OK(write_gguf(folder / "m.gguf", fields, tensors, bytes_of));
  TRY(const Gguf gguf, Gguf::open(folder / "m.gguf"));
  return config_from_gguf(gguf);
}

/// `back` is `config`, but for how its tensors lie.
void expect_same(const Config& config, Config back) {
  EXPECT_EQ(back.permuted_qk, config.architecture == "llama" || config.architecture == "mistral");
  EXPECT_EQ(back.norms_include_one, config.gemma_norms);
  back.permuted_qk = back.norms_include_one = false;
  if (config.rope.scaling == RopeScaling::llama3) {
    const std::vector<float> want = config.rope.inv_freq(), got = back.rope.inv_freq();
    ASSERT_EQ(got.size(), want.size());
    // The divisor and the quotient are each rounded once.
    for (size_t i = 0; i < want.size(); ++i) EXPECT_NEAR(got[i], want[i], want[i] * 0x1p-23);
    EXPECT_EQ(back.rope.scaling, RopeScaling::divisors);
    EXPECT_EQ(back.rope.theta, config.rope.theta);
    back.rope = config.rope;
  }
  EXPECT_EQ(back, config);
}

TEST(GgufConfig, RoundTripsTheConfigsOfAllReferenceModels) {
  for (const char* model : {"llama2", "llama3.2", "phi3", "phi3-longrope", "mistral-swa", "qwen2",
                            "qwen3", "qwen3-moe", "gemma2", "gemma3"}) {
    SCOPED_TRACE(model);
    ASSERT_OK(const Config config, load_config(golden_dir() + "/" + model));
    ASSERT_OK(const Config back, round_trip(config));
    expect_same(config, back);
    ASSERT_OK(const Config again, round_trip(back));  // now with divisors and the flags
    EXPECT_EQ(again, back);
  }
}

TEST(GgufConfig, RoundTripsWhatThoseDoNotHave) {
  ASSERT_OK(Config moe, load_config(golden_dir() + "/qwen3-moe"));
  moe.normalise_experts = false;
  moe.eos_ids = {1, 2, 3};
  moe.bos_id = 4;
  moe.attention_scale = 0.3f;
  moe.rope.scaling = RopeScaling::linear;
  moe.rope.factor = 1;
  ASSERT_OK(const Config moe_back, round_trip(moe));
  expect_same(moe, moe_back);

  ASSERT_OK(Config gemma, load_config(golden_dir() + "/gemma3"));
  for (const std::vector<uint32_t>& windows :
       {std::vector<uint32_t>{0, 0, 0}, {7, 7, 7}, {7, 0, 0}, {0, 7, 7}, {7, 0, 7}}) {
    SCOPED_TRACE(to_string(Shape(std::span(windows))));
    gemma.windows = windows;
    gemma.final_softcap = 12;
    gemma.local_rope->theta = 5000;
    ASSERT_OK(const Config back, round_trip(gemma));
    expect_same(gemma, back);
  }

  ASSERT_OK(Config mistral, load_config(golden_dir() + "/mistral-swa"));
  mistral.windows.assign(mistral.n_layers, 0);
  ASSERT_OK(const Config mistral_back, round_trip(mistral));
  expect_same(mistral, mistral_back);
}

TEST(GgufConfig, WritesTheKeysThatOtherReadersLookFor) {
  ASSERT_OK(const Config config, load_config(golden_dir() + "/gemma2"));
  ASSERT_OK(const GgufFields fields, fields_from_config(config));
  const GgufFields expected = {
      {"general.architecture", std::string("gemma2")},
      {"general.type", std::string("model")},
      {"gemma2.attention.head_count", 4u},
      {"gemma2.attention.head_count_kv", 2u},
      {"gemma2.attention.key_length", 32u},
      {"gemma2.attention.layer_norm_rms_epsilon", 1e-6f},
      {"gemma2.attention.scale", 1.0f / std::sqrt(48.0f)},
      {"gemma2.attention.sliding_window", 16u},
      {"gemma2.attention.value_length", 32u},
      {"gemma2.attn_logit_softcapping", 50.0f},
      {"gemma2.block_count", 2u},
      {"gemma2.context_length", 512u},
      {"gemma2.embedding_length", 128u},
      {"gemma2.feed_forward_length", 352u},
      {"gemma2.final_logit_softcapping", 30.0f},
      {"gemma2.rope.dimension_count", 32u},
      {"gemma2.rope.freq_base", 10000.0f},
      {"gemma2.vocab_size", 602u},
      {"tokenizer.ggml.bos_token_id", 2u},
      {"tokenizer.ggml.eos_token_id", 601u},
  };
  EXPECT_EQ(fields, expected);
  EXPECT_TRUE(rope_tensors(config).empty());
}

TEST(GgufConfig, RefusesToWriteWhatNoKeySays) {
  ASSERT_OK(Config config, load_config(golden_dir() + "/gemma3"));
  const Config good = config;
  config.local_rope->scaling = RopeScaling::linear;
  expect_error(fields_from_config(config), ErrorCode::unsupported,
               {"the rotation of layers with a window is scaled (linear), expected none"});
  config = good;
  config.eos_ids = {1, 2, 3, 4};
  expect_error(fields_from_config(config), ErrorCode::unsupported,
               {"has 4 end tokens, expected at most 3"});
  config = good;
  config.architecture = "other";
  expect_error(fields_from_config(config), ErrorCode::unsupported,
               {"has no architecture for 'other'"});
}

}  // namespace
}  // namespace handloom::formats
