#include "formats/rope.h"

#include "formats/fields.h"
#include "formats/limits.h"
#include "formats/names.h"

#include <array>
#include <cmath>
#include <numbers>

namespace handloom::formats {
namespace {

constexpr float kDefaultTheta = 10000.0f;  // what a Llama config without the key means
constexpr Range kFreqFactor{.low = 0, .high = 1e6, .low_open = true};
constexpr std::array kScalings = {RopeScaling::none, RopeScaling::linear, RopeScaling::llama3,
                                  RopeScaling::longrope};

/// `rope_type`, or `type` in older files.
Result<RopeScaling> parse_scaling_type(const JsonObject& object) {
  TRY(std::optional<std::string> name, object.find_string("rope_type"));
  if (!name) {
    TRY(name, object.find_string("type"));
  }
  if (!name) {
    return fail(ErrorCode::bad_format, "{}: 'rope_type' is missing, expected a string",
                object.where());
  }
  if (*name == "su") return RopeScaling::longrope;  // its first name, in the first Phi-3 files
  for (const RopeScaling scaling : kScalings) {
    if (to_string(scaling) == *name) return scaling;
  }
  return fail(
      ErrorCode::unsupported,
      "{}: 'rope_type' is '{}', which is not supported (supported: default, linear, llama3, "
      "longrope)",
      object.where(), printable(*name));
}

Result<void> parse_llama3(const JsonObject& object, Rope& rope) {
  TRY(rope.low_freq_factor, get_float_in(object, "low_freq_factor", kFreqFactor));
  TRY(rope.high_freq_factor, get_float_in(object, "high_freq_factor", kFreqFactor));
  TRY(rope.original_max_seq_len,
      get_u32_in(object, "original_max_position_embeddings", 1, kMaxSeqLen));
  if (rope.high_freq_factor > rope.low_freq_factor) return {};
  return fail(ErrorCode::bad_format,
              "{}: 'high_freq_factor' is {}, expected more than low_freq_factor ({})",
              object.where(), rope.high_freq_factor, rope.low_freq_factor);
}

Result<std::vector<float>> parse_factors(const JsonObject& object, std::string_view key,
                                         size_t expected) {
  const Json* list = object.find(key);
  std::vector<float> factors;
  if (list != nullptr && list->is_array() && list->size() == expected) {
    for (const Json& item : *list) {
      if (!item.is_number() || !kRopeDivisor.holds(item.get<double>())) break;
      factors.push_back(item.get<float>());
    }
  }
  if (factors.size() == expected) return factors;
  return fail(ErrorCode::bad_format, "{}: '{}' is {}, expected an array of {} positive numbers",
              object.where(), key, list == nullptr ? "missing" : describe(*list), expected);
}

/// The pretraining context stands beside rope_scaling or within it. As transformers'
/// _compute_longrope_parameters has it, the context's growth gives the attention factor.
Result<void> parse_longrope(const JsonObject& config, const JsonObject& object, Rope& rope) {
  TRY(rope.short_factor, parse_factors(object, "short_factor", rope.dim / 2));
  TRY(rope.long_factor, parse_factors(object, "long_factor", rope.dim / 2));
  const std::string_view key = "original_max_position_embeddings";
  TRY(rope.original_max_seq_len, get_u32_in(object.has(key) ? object : config, key, 1, kMaxSeqLen));
  TRY(const auto beside, config.find_u32(key));
  if (beside && *beside != rope.original_max_seq_len) {
    return fail(ErrorCode::bad_format, "{}: '{}' is {}, expected {} as in the whole file",
                object.where(), key, rope.original_max_seq_len, *beside);
  }
  TRY(const uint32_t max_seq_len, config.get_u32("max_position_embeddings"));
  TRY(const auto attention_factor, find_float_in(object, "attention_factor", kAttentionFactor));
  TRY(const auto factor, find_float_in(object, "factor", kRopeFactor));
  const double growth = static_cast<double>(max_seq_len) / rope.original_max_seq_len;
  rope.factor = static_cast<float>(growth);
  if (factor && *factor != rope.factor) {
    return fail(ErrorCode::bad_format,
                "{}: 'factor' is {}, expected max_position_embeddings / {} ({})", object.where(),
                *factor, key, rope.factor);
  }
  if (attention_factor) {
    rope.attention_factor = *attention_factor;
  } else if (growth > 1 && rope.original_max_seq_len > 1) {
    rope.attention_factor =
        static_cast<float>(std::sqrt(1 + std::log(growth) / std::log(rope.original_max_seq_len)));
  }
  return {};
}

Result<void> parse_scaling(const JsonObject& config, const JsonObject& object, Rope& rope) {
  TRY(rope.scaling, parse_scaling_type(object));
  TRY(const auto partial, object.find_number("partial_rotary_factor"));
  if (partial && *partial != 1) {
    return fail(ErrorCode::unsupported, "{}: 'partial_rotary_factor' is {}, only 1.0 is supported",
                object.where(), *partial);
  }
  if (rope.scaling == RopeScaling::longrope) return parse_longrope(config, object, rope);
  if (rope.scaling != RopeScaling::none) {
    TRY(rope.factor, get_float_in(object, "factor", kRopeFactor));
  }
  if (rope.scaling == RopeScaling::llama3) CHECK_OK(parse_llama3(object, rope));
  return {};
}

/// Transformers 4: rope_theta and rope_scaling, each of which may be absent or null.
Result<Rope> parse_flat(const JsonObject& config, Rope rope) {
  TRY(const auto theta, find_float_in(config, "rope_theta", kTheta));
  rope.theta = theta.value_or(rope.theta);
  if (config.has("rope_scaling")) {
    TRY(const JsonObject& scaling, config.get_object("rope_scaling"));
    CHECK_OK(parse_scaling(config, scaling, rope));
  }
  return rope;
}

/// Transformers 5: everything in rope_parameters.
Result<Rope> parse_nested(const JsonObject& config, uint32_t dim) {
  TRY(const JsonObject& parameters, config.get_object("rope_parameters"));
  // Gemma 3 gives parameters per layer type; those of the layers that slide are read there.
  const bool per_layer_type = parameters.has("full_attention");
  TRY(const JsonObject& object,
      per_layer_type ? parameters.get_object("full_attention") : Result<JsonObject>(parameters));
  return parse_rope_parameters(config, object, dim);
}

/// Stretches long wavelengths and blends the middle ones, as transformers'
/// _compute_llama3_parameters does.
float llama3_scaled(const Rope& rope, float freq) {
  const auto original = static_cast<float>(rope.original_max_seq_len);
  const float wavelength = static_cast<float>(2 * std::numbers::pi) / freq;
  if (wavelength < original / rope.high_freq_factor) return freq;
  if (wavelength > original / rope.low_freq_factor) return freq / rope.factor;
  const float kept = (original / wavelength - rope.low_freq_factor) /
                     (rope.high_freq_factor - rope.low_freq_factor);
  return (1.0f - kept) * freq / rope.factor + kept * freq;
}

}  // namespace

std::string_view to_string(RopeScaling scaling) {
  switch (scaling) {
    case RopeScaling::none: return "default";
    case RopeScaling::linear: return "linear";
    case RopeScaling::llama3: return "llama3";
    case RopeScaling::longrope: return "longrope";
    case RopeScaling::divisors: return "divisors";
  }
  return "unknown";
}

std::vector<float> Rope::inv_freq(uint32_t context) const {
  const std::vector<float>& by_context =
      context > original_max_seq_len ? long_factor : short_factor;
  std::vector<float> freqs(dim / 2);
  for (uint32_t i = 0; i < freqs.size(); ++i) {
    const float exponent = static_cast<float>(2 * i) / static_cast<float>(dim);
    const float power = static_cast<float>(std::pow(double{theta}, double{exponent}));
    const float freq = 1.0f / power;
    switch (scaling) {
      case RopeScaling::none: freqs[i] = freq; break;
      case RopeScaling::linear: freqs[i] = freq / factor; break;
      case RopeScaling::llama3: freqs[i] = llama3_scaled(*this, freq); break;
      case RopeScaling::longrope: freqs[i] = 1.0f / (by_context[i] * power); break;
      case RopeScaling::divisors: freqs[i] = freq / divisors[i]; break;
    }
  }
  return freqs;
}

Result<Rope> parse_rope_parameters(const JsonObject& config, const JsonObject& object,
                                   uint32_t dim) {
  Rope rope{.dim = dim};
  TRY(rope.theta, get_float_in(object, "rope_theta", kTheta));
  CHECK_OK(parse_scaling(config, object, rope));
  return rope;
}

Result<Rope> parse_rope(const JsonObject& config, uint32_t dim) {
  const Rope unscaled{.theta = kDefaultTheta, .dim = dim};
  TRY(const Rope flat, parse_flat(config, unscaled));
  if (!config.has("rope_parameters")) return flat;
  TRY(const Rope nested, parse_nested(config, dim));
  // A file may speak both dialects, but not contradict itself.
  const bool same_theta = !config.has("rope_theta") || flat.theta == nested.theta;
  Rope flat_scaling = flat;
  flat_scaling.theta = nested.theta;
  if (same_theta && (!config.has("rope_scaling") || flat_scaling == nested)) return nested;
  return fail(ErrorCode::bad_format,
              "{}: 'rope_parameters' contradicts 'rope_theta' or 'rope_scaling', expected the same "
              "values in both",
              config.where());
}

}  // namespace handloom::formats
