// The rotary embedding: how config.json describes it, and its frequencies against the definition.
#include "formats/config.h"

#include "base/json.h"
#include "tests/formats/support.h"

#include <cmath>

namespace handloom::formats {
namespace {

constexpr double kEpsilon = 0x1p-24;  // half an ulp of a float, relative

/// A Llama with heads of `head_dim`, of which `rope` is the rotary part.
Result<Rope> parse(std::string_view rope, uint32_t head_dim = 64) {
  Json json = Json::parse(R"({"model_type": "llama", "hidden_size": 64, "intermediate_size": 96,
      "num_hidden_layers": 1, "num_attention_heads": 1, "vocab_size": 100,
      "max_position_embeddings": 131072, "rms_norm_eps": 1e-5})");
  json["head_dim"] = head_dim;
  json.update(Json::parse(rope));
  TRY(const Config config, parse_config(json.dump(), "c"));
  return config.rope;
}

/// theta^(-2 i / dim): the definition, in double.
double plain_freq(double theta, uint32_t dim, size_t i) {
  return std::exp(-std::log(theta) * 2.0 * static_cast<double>(i) / dim);
}

/// The relative error that float32 steps may have: the exponent's rounding, which the power
/// multiplies by its own logarithm; the power, one ulp; the reciprocal; `more` further steps.
double tolerance(double theta, int more) { return (std::log(theta) + 3 + more) * kEpsilon; }

TEST(Rope, FrequenciesFollowTheDefinition) {
  for (const uint32_t dim : {2u, 32u, 64u, 96u, 128u, 256u}) {
    for (const float theta : {10000.0f, 500000.0f, 1e6f}) {
      const std::vector<float> freqs = Rope{.theta = theta, .dim = dim}.inv_freq();
      ASSERT_EQ(freqs.size(), dim / 2);
      EXPECT_EQ(freqs[0], 1.0f);
      for (size_t i = 0; i < freqs.size(); ++i) {
        const double want = plain_freq(theta, dim, i);
        EXPECT_NEAR(freqs[i], want, want * tolerance(theta, 0)) << dim << " " << theta << " " << i;
      }
    }
  }
}

TEST(Rope, LinearDividesEveryFrequency) {
  ASSERT_OK(const Rope rope, parse(R"({"rope_scaling": {"type": "linear", "factor": 3.0}})"));
  EXPECT_EQ(rope.scaling, RopeScaling::linear);
  const std::vector<float> freqs = rope.inv_freq();
  for (size_t i = 0; i < freqs.size(); ++i) {
    const double want = plain_freq(10000, 64, i) / 3;
    EXPECT_NEAR(freqs[i], want, want * tolerance(10000, 1)) << i;
  }
}

/// Llama 3.1's rule from its definition: with w positions per turn and `original` positions of
/// pretraining, r = original / w turns fit. Few turns (r <= low): divided by the factor. Many
/// (r >= high): kept. Between: blended in r.
double llama3_freq(const Rope& rope, double freq) {
  const double turns = rope.original_max_seq_len * freq / (2 * std::acos(-1.0));
  if (turns <= rope.low_freq_factor) return freq / rope.factor;
  if (turns >= rope.high_freq_factor) return freq;
  const double kept =
      (turns - rope.low_freq_factor) / (rope.high_freq_factor - rope.low_freq_factor);
  return freq * (kept + (1 - kept) / rope.factor);
}

TEST(Rope, Llama3BlendsByWavelength) {
  struct Model {
    float factor;
    uint32_t original, dim;
  };
  // Llama 3.1 8B, Llama 3.2 1B, the golden model.
  for (const auto& [factor, original, dim] :
       {Model{8, 8192, 128}, Model{32, 8192, 64}, Model{8, 64, 32}}) {
    const Rope rope{.theta = 500000,
                    .dim = dim,
                    .scaling = RopeScaling::llama3,
                    .factor = factor,
                    .low_freq_factor = 1,
                    .high_freq_factor = 4,
                    .original_max_seq_len = original};
    const std::vector<float> freqs = rope.inv_freq();
    size_t kept = 0, divided = 0;
    for (size_t i = 0; i < freqs.size(); ++i) {
      const double plain = plain_freq(rope.theta, dim, i), want = llama3_freq(rope, plain);
      // The blend's weight is 1 / 3 of at most 4 turns, with their relative error and a few
      // roundings; an error of the weight moves the result by as much of the plain frequency.
      const double step = tolerance(rope.theta, 4), weight = step * 4 / 3 + 4 * kEpsilon;
      const bool blended = want != plain && want != plain / factor;
      EXPECT_NEAR(freqs[i], want, want * step + (blended ? plain * weight : 0)) << i;
      kept += want == plain;
      divided += want == plain / factor;
    }
    EXPECT_GT(kept, 0u);
    EXPECT_GT(divided, 0u);
    EXPECT_LT(kept + divided, freqs.size());
  }
}

TEST(Rope, BothDialectsSayTheSame) {
  ASSERT_OK(const Rope old,
            parse(R"({"rope_theta": 500000.0, "rope_scaling": {"rope_type": "llama3",
      "factor": 32.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
      "original_max_position_embeddings": 8192}})"));
  ASSERT_OK(const Rope recent, parse(R"({"rope_parameters": {"rope_type": "llama3",
      "rope_theta": 500000.0, "factor": 32.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
      "original_max_position_embeddings": 8192}})"));
  EXPECT_EQ(old, recent);
  EXPECT_EQ(old, (Rope{.theta = 500000,
                       .dim = 64,
                       .scaling = RopeScaling::llama3,
                       .factor = 32,
                       .low_freq_factor = 1,
                       .high_freq_factor = 4,
                       .original_max_seq_len = 8192}));
  ASSERT_OK(const Rope plain,
            parse(R"({"rope_parameters": {"rope_type": "default", "rope_theta": 20000}})"));
  EXPECT_EQ(plain, (Rope{.theta = 20000, .dim = 64}));
  ASSERT_OK(const Rope both, parse(R"({"rope_theta": 20000, "rope_scaling": {"type": "default"},
      "rope_parameters": {"rope_type": "default", "rope_theta": 20000.0}})"));
  EXPECT_EQ(both, plain);
}

TEST(Rope, IsReadFromTheGoldenModel) {
  ASSERT_OK(const Config config, load_config(HANDLOOM_GOLDEN_DIR "/llama3.2"));
  EXPECT_EQ(config.rope, (Rope{.theta = 500000,
                               .dim = 32,
                               .scaling = RopeScaling::llama3,
                               .factor = 8,
                               .low_freq_factor = 1,
                               .high_freq_factor = 4,
                               .original_max_seq_len = 64}));
}

TEST(Rope, Refusals) {
  struct Refusal {
    std::string_view rope;
    ErrorCode code;
    std::string_view fragment;
  };
  constexpr auto bad = ErrorCode::bad_format, other = ErrorCode::unsupported;
  for (const auto& [rope, code, fragment] : {
           Refusal{R"({"rope_theta": 0})", bad, "c: 'rope_theta' is 0, expected more than 1"},
           Refusal{R"({"rope_theta": 1e13})", bad,
                   "'rope_theta' is 10000000000000, expected more than 1"},
           Refusal{R"({"rope_theta": "10000"})", bad, "'rope_theta' is \"10000\""},
           Refusal{R"({"rope_scaling": 2})", bad, "'rope_scaling' is 2, expected an object"},
           Refusal{R"({"rope_scaling": {}})", bad, "rope_scaling: 'rope_type' is missing"},
           Refusal{R"({"rope_scaling": {"type": "yarn"}})", other,
                   "'yarn', which is not supported (supported: default, linear, llama3, longrope)"},
           Refusal{R"({"rope_scaling": {"type": "dynamic", "factor": 2}})", other, "'dynamic'"},
           Refusal{R"({"rope_scaling": {"type": "longrope"}})", bad,
                   "rope_scaling: 'short_factor' is missing"},
           Refusal{R"({"rope_scaling": {"type": "linear"}})", bad, "'factor' is missing"},
           Refusal{R"({"rope_scaling": {"type": "linear", "factor": 0.5}})", bad,
                   "'factor' is 0.5, expected at least 1"},
           Refusal{R"({"rope_scaling": {"type": "llama3", "factor": 8}})", bad,
                   "'low_freq_factor' is missing"},
           Refusal{R"({"rope_scaling": {"type": "llama3", "factor": 8, "low_freq_factor": 4,
                      "high_freq_factor": 4, "original_max_position_embeddings": 64}})",
                   bad, "'high_freq_factor' is 4, expected more than low_freq_factor (4)"},
           Refusal{R"({"rope_scaling": {"type": "llama3", "factor": 8, "low_freq_factor": 1,
                      "high_freq_factor": 4, "original_max_position_embeddings": 0}})",
                   bad, "'original_max_position_embeddings' is 0"},
           Refusal{R"({"rope_parameters": []})", bad, "'rope_parameters' is an array of 0"},
           Refusal{R"({"rope_parameters": {"rope_type": "default"}})", bad,
                   "rope_parameters: 'rope_theta' is missing"},
           Refusal{R"({"rope_parameters": {"rope_theta": 10000}})", bad, "'rope_type' is missing"},
           Refusal{R"({"rope_parameters": {"rope_theta": 1e4, "rope_type": "default",
                      "partial_rotary_factor": 0.25}})",
                   other, "'partial_rotary_factor' is 0.25, only 1.0 is supported"},
           Refusal{R"({"rope_theta": 2e4, "rope_parameters":
                      {"rope_type": "default", "rope_theta": 1e4}})",
                   bad, "'rope_parameters' contradicts"},
           Refusal{R"({"rope_scaling": {"type": "linear", "factor": 2}, "rope_parameters":
                      {"rope_type": "default", "rope_theta": 1e4}})",
                   bad, "'rope_parameters' contradicts"},
       }) {
    SCOPED_TRACE(rope);
    expect_error(parse(rope), code, {fragment});
  }
}

}  // namespace
}  // namespace handloom::formats
