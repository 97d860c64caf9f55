// Engine: loading a folder onto a device, and answering for what was loaded.
#include "base/result.h"
#include "engine/engine_impl.h"
#include "formats/model_files.h"
#include "gpu/native.h"
#include "ops/matmul.h"

#include <algorithm>
#include <chrono>

namespace handloom {
namespace {

constexpr uint32_t kDefaultContext = 8192;  // more must be asked for: the cache is allocated whole
constexpr uint32_t kMaxPrefillTokens = 2048;              // rows of one forward pass
constexpr uint64_t kUnsettledBytes = uint64_t{64} << 20;  // of weights on their way to the GPU
constexpr uint64_t kReservedBytes = uint64_t{256} << 20;  // left for the driver and everything else

DType kv_dtype(Precision precision, const Features& features) {
  const bool is_f16 =
      precision == Precision::f16 || (precision == Precision::automatic && features.f16);
  return is_f16 ? DType::f16 : DType::f32;
}

/// Rows of a forward pass whose widest activation an adapter can still bind.
uint32_t prefill_tokens(const formats::Config& c, uint32_t context, const Limits& limits) {
  const uint64_t widest =
      std::max({2 * c.ffn_dim, 2 * c.n_experts_used * c.expert_ffn_dim,
                c.n_experts_used * c.model_dim, c.q_dim() + 2 * c.kv_dim(), c.model_dim});
  const uint64_t bindable =
      std::min(limits.max_binding_bytes, limits.max_buffer_bytes) / (4 * widest);
  return static_cast<uint32_t>(
      std::clamp<uint64_t>(bindable, 1, std::min(context, kMaxPrefillTokens)));
}

Result<uint32_t> choose_context(const formats::Config& config, const kv_cache::KvShape& shape,
                                const Limits& limits, uint64_t weight_bytes, uint32_t wanted) {
  const uint64_t fits = kv_cache::context_that_fits(limits, shape, weight_bytes + kReservedBytes);
  if (wanted > config.max_seq_len) {
    return fail(ErrorCode::invalid_argument,
                "engine: a context of {} tokens is asked for, the model was made for {}", wanted,
                config.max_seq_len);
  }
  if (fits == 0 || wanted > fits) {
    return fail(ErrorCode::out_of_memory,
                "engine: a context of {} tokens needs {} MB of KV cache, {} tokens fit on this "
                "adapter; use --context {}",
                wanted, wanted * config.kv_bytes_per_token(shape.dtype) / 1000000, fits, fits);
  }
  if (wanted > 0) return wanted;
  return static_cast<uint32_t>(std::min<uint64_t>({config.max_seq_len, kDefaultContext, fits}));
}

SamplingOptions default_sampling_of(const formats::GenerationConfig& g) {
  SamplingOptions s;
  if (g.do_sample.value_or(false)) {
    s.temperature = g.temperature.value_or(1.0f);
    s.top_k = g.top_k.value_or(0);
    s.top_p = g.top_p.value_or(1.0f);
    s.min_p = g.min_p.value_or(0.0f);
  }
  s.repeat_penalty = g.repeat_penalty.value_or(1.0f);
  return s;
}

/// A tokenizer may know fewer ids than the model has rows (padding), never more.
Result<void> check_vocabulary(const std::string& folder, const Tokenizer& tokenizer,
                              const formats::Config& config) {
  if (tokenizer.vocab_size() <= config.vocab_size) return {};
  return fail(ErrorCode::bad_format,
              "{}: the tokenizer has ids up to {}, the model has {} embeddings", folder,
              tokenizer.vocab_size() - 1, config.vocab_size);
}

ModelInfo describe_model(const std::string& folder, const Engine::Impl& e, uint32_t context) {
  const formats::Config& c = e.config;
  const model::Weights& w = e.model->weights();
  return {.folder = folder,
          .architecture = c.architecture,
          .weight_dtype = std::string(to_string(w.output.dtype())),
          .kv_dtype = std::string(to_string(e.kv_shape.dtype)),
          .n_layers = c.n_layers,
          .model_dim = c.model_dim,
          .ffn_dim = c.ffn_dim,
          .n_heads = c.n_heads,
          .n_kv_heads = c.n_kv_heads,
          .head_dim = c.head_dim,
          .vocab_size = c.vocab_size,
          .max_seq_len = c.max_seq_len,
          .context = context,
          .n_parameters = c.weight_count(),
          .weight_bytes_per_token = w.bytes_per_token(c),
          .kv_bytes_per_token = c.kv_bytes_per_token(e.kv_shape.dtype)};
}

/// Runs one prefill and one decode step on nothing in particular. Drivers compile a kernel when it
/// is created or when it first runs; both belong to loading, not to the first answer.
Result<void> compile_kernels(Engine::Impl& e) {
  const uint32_t n_tokens = std::min(e.model->max_tokens(), 2 * ops::kMatmulVecRows);
  TRY(const kv_cache::KvCache kv, kv_cache::KvCache::create(e.device, e.kv_shape, n_tokens));
  TRY(const StepBuffers step,
      StepBuffers::create(e.device, n_tokens, n_tokens, e.config.vocab_size));
  e.write_tokens(step, std::vector<uint32_t>(n_tokens, 0), 0);
  const auto sampling = ops::sampling_words(0.0f, 0);
  e.device.write(step.sampling, std::as_bytes(std::span(sampling)));
  using Ending = Engine::Impl::Ending;
  TRY(const gpu::Recording prefill, e.record_step(step, kv, n_tokens, n_tokens, Ending::logits));
  TRY(const gpu::Recording decode, e.record_step(step, kv, 1, 1, Ending::token));
  e.device.submit(prefill);
  CHECK_OK(gpu::wait(e.device, e.device.submit_and_read(decode, step.state.history)));
  return {};
}

Result<std::unique_ptr<Engine::Impl>> load_impl(const std::string& path,
                                                const LoadOptions& options) {
  // Everything on disk is checked before a device is opened.
  TRY(const formats::ModelFiles files, formats::open_model(path));
  TRY(Tokenizer tokenizer, make_tokenizer(files.tokenizer));
  CHECK_OK(check_vocabulary(path, tokenizer, files.config));
  TRY(gpu::Device device, gpu::open_device(options.adapter));

  auto impl = std::make_unique<Engine::Impl>(
      Engine::Impl{.device = std::move(device), .config = files.config});
  const formats::Config& c = impl->config;
  const Limits& limits = impl->device.adapter().limits;
  const DType kv = kv_dtype(options.precision, impl->device.adapter().features);
  impl->kv_shape = {c.n_layers, c.n_kv_heads, c.head_dim, kv};
  impl->eos_ids = files.generation.eos_ids.empty() ? c.eos_ids : files.generation.eos_ids;
  impl->default_sampling = default_sampling_of(files.generation);
  impl->tokenizer = std::move(tokenizer);

  uint64_t weight_bytes = 0;
  for (const formats::TensorInfo& t : files.checkpoint.tensors()) weight_bytes += t.file_bytes();
  TRY(const uint32_t context,
      choose_context(c, impl->kv_shape, limits, weight_bytes, options.context));

  const auto storage =
      kv == DType::f16 ? model::WeightStorage::f16 : model::WeightStorage::as_in_file;
  // Reading any tensor back waits for all that was written before it.
  TRY(const gpu::Tensor fence,
      impl->device.create_tensor("fence", DType::u32, {1}, gpu::MemoryKind::other));
  uint64_t settled = 0;
  const auto report = [&](uint64_t done, uint64_t total) -> Result<void> {
    if (options.on_progress) options.on_progress({done, total, "weights"});
    if (done - settled < kUnsettledBytes) return {};
    settled = done;
    CHECK_OK(gpu::wait(impl->device, impl->device.read(fence)));
    return {};
  };
  TRY(impl->model, model::load_model(impl->device, files.checkpoint, files.naming, c, storage,
                                     context, prefill_tokens(c, context, limits), report));
  CHECK_OK(gpu::wait(impl->device, impl->device.settle()));
  if (options.on_progress) options.on_progress({weight_bytes, weight_bytes, "kernels"});
  CHECK_OK(compile_kernels(*impl));
  impl->info = describe_model(path, *impl, context);
  return impl;
}

}  // namespace

Result<Engine> Engine::load(const std::string& path, const LoadOptions& options) {
  const auto started = std::chrono::steady_clock::now();
  TRY(std::unique_ptr<Impl> impl, load_impl(path, options));
  impl->load_ms =
      std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - started).count();
  return Engine(std::move(impl));
}

Engine::Engine(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Engine::Engine(Engine&&) noexcept = default;
Engine& Engine::operator=(Engine&&) noexcept = default;
Engine::~Engine() = default;

const Tokenizer& Engine::tokenizer() const { return *impl_->tokenizer; }
const ModelInfo& Engine::model() const { return impl_->info; }
const AdapterInfo& Engine::adapter() const { return impl_->device.adapter(); }
MemoryUse Engine::memory() const { return impl_->device.memory(); }
double Engine::load_ms() const { return impl_->load_ms; }
const SamplingOptions& Engine::default_sampling() const { return impl_->default_sampling; }

Result<Session> Engine::new_session() {
  TRY(std::unique_ptr<Session::Impl> session, Session::Impl::create(*impl_, impl_->info.context));
  return Session(std::move(session));
}

void Engine::lose_device_for_test() { impl_->device.backend().lose_device(); }

Result<AdapterChoice> list_adapters() {
  TRY(std::vector<AdapterInfo> adapters, gpu::list_adapters());
  return AdapterChoice{.adapters = std::move(adapters), .chosen = 0};
}

std::string_view version() { return "0.1.0"; }

}  // namespace handloom
