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
  ops::SamplingBuffers sampling;
  gpu::Tensor logits;  // f32 [1, vocab_size]

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
  kv_cache::KvOptions kv_options;  // of a session
  double load_ms = 0;
  double readback_ms = 0;  // from a submit that computes nothing to its bytes, on an idle device
  std::optional<double> read_bandwidth;

  /// An empty cache for `context` tokens.
  Result<kv_cache::KvCache> new_cache(uint32_t context);
  /// Writes token ids and their positions `first`.. into row 0.. of the step buffers.
  void write_tokens(const StepBuffers& step, std::span<const uint32_t> ids, uint32_t first);

  /// Where a recorded step ends: with the last row's logits, or with the next token chosen.
  enum class Ending { logits, token };
  /// The forward pass of `n_tokens` rows that end at position `n_keys` - 1. `choice` tells what
  /// takes part where a token is chosen.
  void encode_step(gpu::Encoder& enc, const StepBuffers& step, const kv_cache::KvCache& kv,
                   uint32_t n_tokens, uint32_t n_keys, Ending ending,
                   const ops::TokenChoice& choice = {});
  /// The same, recorded.
  Result<gpu::Recording> record_step(const StepBuffers& step, const kv_cache::KvCache& kv,
                                     uint32_t n_tokens, uint32_t n_keys, Ending ending,
                                     const ops::TokenChoice& choice = {});
};

struct Session::Impl {
  Engine::Impl& engine;
  kv_cache::KvCache kv;
  StepBuffers step;
  /// A decode step for the positions before `end`, while the cache lies as it did then.
  struct DecodeStep {
    std::optional<gpu::Recording> recording = {};
    uint32_t end = 0, revision = 0;
    ops::TokenChoice choice = {};
  };
  DecodeStep decode_to_token = {}, decode_to_logits = {};
  std::vector<uint32_t> ids = {};  // the timeline
  size_t n_evaluated = 0;  // ids whose K and V are in the cache; the last one chosen is not yet

  double step_ms = 0;  // what a decode step took of late; 0: none was measured

  static Result<std::unique_ptr<Impl>> create(Engine::Impl& engine, uint32_t context);
  /// The end of the positions that a recording for `position` serves: of its slab, or before.
  uint32_t decode_end(uint32_t position) const;
  /// The recording of one decode step at `position`, made when there is none that serves.
  Result<const gpu::Recording*> decode_step(Engine::Impl::Ending ending, uint32_t position,
                                            const ops::TokenChoice& choice);
};

/// The next of the batches of at most `most` rows that `left` rows are evaluated in. All are about
/// alike: how many rows there are at once changes no bit of a result then, because none of a long
/// prompt's is so short that it takes the kernels for few rows.
inline uint32_t even_batch(uint32_t left, uint32_t most) {
  const uint32_t n_batches = (left + most - 1) / most;
  return (left + n_batches - 1) / n_batches;
}

/// Room for the positions from `first` to before `end`; natively, for this waits.
Result<void> make_room_and_wait(gpu::Device& device, kv_cache::KvCache& kv, uint32_t first,
                                uint32_t end);

}  // namespace handloom
