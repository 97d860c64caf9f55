#include "model/model.h"

#include "model/families.h"
#include "ops/kv_append.h"
#include "ops/matmul.h"
#include "ops/rms_norm.h"

#include <cmath>
#include <utility>
#include <vector>

namespace handloom::model {
namespace {

/// cos and sin of position * inv_freq[i], the angle rounded to f32 first as Hugging Face does.
Result<gpu::Tensor> make_cos_sin(gpu::Device& device, const formats::Rope& rope, uint32_t context) {
  const std::vector<float> inv_freq = rope.inv_freq(context);
  const auto half_dim = static_cast<uint32_t>(inv_freq.size());
  std::vector<float> table;
  table.reserve(size_t{2} * context * half_dim);
  for (uint32_t position = 0; position < context; ++position) {
    for (const float freq : inv_freq) {
      const float angle = static_cast<float>(position) * freq;
      table.push_back(rope.attention_factor * std::cos(angle));
      table.push_back(rope.attention_factor * std::sin(angle));
    }
  }
  TRY(gpu::Tensor tensor, device.create_tensor("rope.cos_sin", DType::f32, {context, half_dim, 2},
                                               gpu::MemoryKind::other));
  device.write(tensor, std::as_bytes(std::span(table)));
  return tensor;
}

/// Error: unsupported, if a dimension is one that the kernels cannot run.
Result<void> check_dimensions(const formats::Config& c) {
  const std::pair<const char*, uint32_t> dims[] = {{"hidden_size", c.model_dim},
                                                   {"intermediate_size", c.ffn_dim},
                                                   {"moe_intermediate_size", c.expert_ffn_dim},
                                                   {"head_dim", c.head_dim}};
  for (const auto& [name, value] : dims) {
    if (value % 4 != 0) {
      return fail(ErrorCode::unsupported, "config: '{}' is {}, expected a multiple of 4", name,
                  value);
    }
  }
  if (c.n_experts > 512) {
    return fail(ErrorCode::unsupported, "config: 'num_experts' is {}, expected at most 512",
                c.n_experts);
  }
  if (c.head_dim > 256) {
    return fail(ErrorCode::unsupported, "config: 'head_dim' is {}, expected at most 256",
                c.head_dim);
  }
  return {};
}

struct Scratch {
  gpu::Tensor Activations::*tensor;
  const char* name;
  Shape shape;
  DType dtype = DType::f32;
};

std::vector<Scratch> scratch_of(const formats::Config& c, uint32_t max_tokens) {
  const bool has_experts = c.n_experts > 0;
  const uint32_t ffn_rows = has_experts ? max_tokens * c.n_experts_used : max_tokens;
  const uint32_t ffn_dim = has_experts ? c.expert_ffn_dim : c.ffn_dim;
  using A = Activations;
  std::vector<Scratch> all = {{&A::x, "x", {max_tokens, c.model_dim}},
                              {&A::norm, "norm", {max_tokens, c.model_dim}},
                              {&A::qkv, "qkv", {max_tokens, c.q_dim() + 2 * c.kv_dim()}},
                              {&A::softmax, "softmax", {max_tokens, c.n_heads, 2}},
                              {&A::attn, "attn", {max_tokens, c.q_dim()}},
                              {&A::proj, "proj", {max_tokens, c.model_dim}},
                              {&A::gate_up, "gate_up", {ffn_rows, 2 * ffn_dim}},
                              {&A::ffn, "ffn", {ffn_rows, ffn_dim}},
                              {&A::last, "last", {1, c.model_dim}}};
  if (has_experts) {
    all.push_back({&A::router, "router", {max_tokens, c.n_experts}});
    all.push_back({&A::expert_ids, "expert_ids", {max_tokens, c.n_experts_used}, DType::u32});
    all.push_back({&A::shares, "shares", {max_tokens, c.n_experts_used}});
    all.push_back({&A::expert_out, "expert_out", {ffn_rows, c.model_dim}});
  }
  return all;
}

Result<Parts> load_parts(gpu::Device& device, const formats::Checkpoint& checkpoint,
                         formats::Naming naming, const formats::Config& config,
                         WeightStorage storage, uint32_t context, uint32_t max_tokens,
                         const DecodeOptions& decode, Uploads& uploads) {
  Parts parts{.config = config, .heads = {config.n_heads, config.n_kv_heads, config.head_dim}};
  TRY(parts.weights, load_weights(device, checkpoint, naming, config, storage, uploads));
  TRY(parts.activations, Activations::create(device, config, max_tokens));
  parts.decode_options = decode;
  parts.decode_options.fused = decode.fused && can_fuse(config, context, device.adapter().limits);
  if (parts.decode_options.fused) {
    TRY(parts.decode_buffers, DecodeBuffers::create(device, config, context));
  }
  TRY(parts.cos_sin, make_cos_sin(device, config.rope, context));
  if (config.local_rope) {
    TRY(parts.local_cos_sin, make_cos_sin(device, *config.local_rope, context));
  }
  return parts;
}

}  // namespace

Result<Activations> Activations::create(gpu::Device& device, const formats::Config& c,
                                        uint32_t max_tokens) {
  Activations a;
  for (const Scratch& s : scratch_of(c, max_tokens)) {
    TRY(a.*s.tensor, device.create_tensor(s.name, s.dtype, s.shape, gpu::MemoryKind::activations));
  }
  return a;
}

uint64_t Activations::bytes(const formats::Config& c, uint32_t max_tokens) {
  uint64_t bytes = 0;
  for (const Scratch& s : scratch_of(c, max_tokens))
    bytes += s.shape.count() * dtype_bytes(s.dtype);
  return bytes;
}

Activations Activations::for_tokens(uint32_t n_tokens) const {
  Activations cut = *this;
  const uint32_t ffn_rows = n_tokens * (ffn.dim(0) / x.dim(0));
  for (gpu::Tensor* t : {&cut.x, &cut.norm, &cut.qkv, &cut.softmax, &cut.attn, &cut.proj}) {
    *t = t->first_rows(n_tokens);
  }
  for (gpu::Tensor* t : {&cut.gate_up, &cut.ffn}) *t = t->first_rows(ffn_rows);
  if (router.buffer) {
    for (gpu::Tensor* t : {&cut.router, &cut.expert_ids, &cut.shares}) *t = t->first_rows(n_tokens);
    cut.expert_out = expert_out.first_rows(ffn_rows);
  }
  return cut;
}

const gpu::Tensor& Model::cos_sin(uint32_t il) const {
  const bool local = config().local_rope && config().window(il) > 0;
  return local ? parts_.local_cos_sin : parts_.cos_sin;
}

ops::Scores Model::scores(uint32_t il) const {
  return {.scale = config().attention_scale,
          .window = config().window(il),
          .softcap = config().attn_softcap};
}

void Model::kv_append(gpu::Encoder& enc, const Activations& a, const Batch& batch,
                      const kv_cache::KvCache& kv, uint32_t il) const {
  for (const kv_cache::Slab& slab : kv.slabs()) {
    if (slab.end <= batch.first_position() || slab.first >= batch.n_keys) continue;
    ops::kv_append(enc, a.qkv, batch.positions, kv.page_table(), slab.layers[il], heads(),
                   {.first = slab.first, .end = slab.end});
  }
}

gpu::Tensor Model::on_device(gpu::Encoder& enc, const kv_cache::KvCache& kv,
                             const kv_cache::Slab& slab, uint32_t il) const {
  if (!slab.is_on_host[il]) return slab.layers[il];
  gpu::Tensor staged = kv.staging_for(slab);
  enc.copy(slab.layers[il], staged);
  return staged;
}

void Model::attention(gpu::Encoder& enc, const Activations& a, const Batch& batch,
                      const kv_cache::KvCache& kv, uint32_t il) const {
  const ops::Scores how = scores(il);
  const auto seen = kv.slabs_seen(batch.first_position(), batch.n_keys, how.window);
  for (const kv_cache::Slab& slab : seen) {
    ops::attention(enc, a.qkv, batch.positions, kv.page_table(), on_device(enc, kv, slab, il),
                   a.softmax, a.attn, heads(), how, batch.n_keys,
                   {.first = slab.first,
                    .end = slab.end,
                    .is_first = &slab == &seen.front(),
                    .is_last = &slab == &seen.back()});
  }
}

void Model::output(gpu::Encoder& enc, const Activations& a, const gpu::Tensor& logits) const {
  const uint32_t n_tokens = a.x.dim(0);
  gpu::Tensor x = a.x, norm = a.norm;
  if (logits.dim(0) < n_tokens) {
    enc.copy(a.x.row(n_tokens - 1), a.last);
    x = a.last;
    norm = a.norm.first_rows(1);
  }
  ops::rms_norm(enc, x, weights().output_norm, norm, config().norm_eps);
  enc.stage(fmt::format("hidden.{}", config().n_layers), norm);
  ops::matmul(enc, norm, weights().output, logits);
}

Result<std::unique_ptr<Model>> load_model(gpu::Device& device,
                                          const formats::Checkpoint& checkpoint,
                                          formats::Naming naming, const formats::Config& config,
                                          WeightStorage storage, uint32_t context,
                                          uint32_t max_tokens, const DecodeOptions& decode,
                                          Uploads& uploads) {
  CHECK_OK(check_dimensions(config));
  static constexpr std::pair<std::string_view, std::unique_ptr<Model> (*)(Parts)> kFamilies[] = {
      {"llama", make_llama},   {"mistral", make_llama},     {"phi3", make_llama},
      {"qwen2", make_qwen2},   {"qwen3", make_qwen3},       {"qwen3_moe", make_qwen3_moe},
      {"gemma2", make_gemma2}, {"gemma3_text", make_gemma3}};
  for (const auto& [architecture, make] : kFamilies) {
    if (architecture != config.architecture) continue;
    TRY(Parts parts, load_parts(device, checkpoint, naming, config, storage, context, max_tokens,
                                decode, uploads));
    return make(std::move(parts));
  }
  return fail(ErrorCode::unsupported, "model: architecture '{}' has no forward pass",
              config.architecture);
}

}  // namespace handloom::model
