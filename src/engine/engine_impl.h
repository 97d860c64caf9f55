// What Engine and Session hide: the model on its device, and one timeline of tokens on it.
#pragma once

#include "engine/tokenizer_impl.h"
#include "formats/config.h"
#include "gpu/device.h"
#include "kv_cache/kv_cache.h"
#include "model/model.h"
#include "ops/sample_token.h"

#include <handloom/handloom.h>

#include <memory>
#include <optional>
#include <vector>

namespace handloom {

/// Where a session's steps find their input and leave their result: buffers that only their content
/// changes, so that recordings of steps can be replayed.
struct StepBuffers {
  ops::StepState state;  // token_ids and positions hold max_tokens rows
  gpu::Tensor sampling;  // u32 [4], see ops::sampling_words
  gpu::Tensor logits;    // f32 [1, vocab_size]

  static Result<StepBuffers> create(gpu::Device& device, uint32_t max_tokens, uint32_t context,
                                    uint32_t vocab_size);
};

struct Engine::Impl {
  gpu::Device device;
  formats::Config config;
  std::vector<uint32_t> eos_ids;
  SamplingOptions default_sampling;
  std::optional<handloom::Tokenizer> tokenizer;
  std::unique_ptr<model::Model> model;
  ModelInfo info;
  kv_cache::KvShape kv_shape;
  double load_ms = 0;
  std::optional<double> read_bandwidth;

  /// Writes token ids and their positions `first`.. into row 0.. of the step buffers.
  void write_tokens(const StepBuffers& step, std::span<const uint32_t> ids, uint32_t first);

  /// Where a recorded step ends: with the last row's logits, or with the next token chosen.
  enum class Ending { logits, token };
  /// Records the forward pass of `n_tokens` rows that end at position `n_keys` - 1.
  Result<gpu::Recording> record_step(const StepBuffers& step, const kv_cache::KvCache& kv,
                                     uint32_t n_tokens, uint32_t n_keys, Ending ending);
};

struct Session::Impl {
  Engine::Impl& engine;
  kv_cache::KvCache kv;
  StepBuffers step;
  std::optional<gpu::Recording> decode_to_token = {}, decode_to_logits = {};
  std::vector<uint32_t> ids = {};  // the timeline
  size_t n_evaluated = 0;  // ids whose K and V are in the cache; the last one chosen is not yet

  static Result<std::unique_ptr<Impl>> create(Engine::Impl& engine, uint32_t context);
  /// The recording of one decode step, made on first use.
  Result<const gpu::Recording*> decode_step(Engine::Impl::Ending ending);
};

}  // namespace handloom
