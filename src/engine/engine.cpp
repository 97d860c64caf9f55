// Engine: loading a folder onto a device, and answering for what was loaded.
#include "base/result.h"
#include "engine/engine_impl.h"
#include "engine/memory_plan.h"
#include "formats/model_files.h"
#include "gpu/native.h"
#include "ops/matmul.h"

#include <algorithm>
#include <array>
#include <chrono>

namespace handloom {
namespace {

constexpr uint64_t kUnsettledBytes = uint64_t{64} << 20;  // of weights on their way to the GPU

bool stores_f16(Precision precision, const Features& features) {
  return precision == Precision::f16 || (precision == Precision::automatic && features.f16);
}

model::WeightStorage weight_storage(const LoadOptions& options, const Features& features) {
  return stores_f16(options.precision, features) ? model::WeightStorage::f16
                                                 : model::WeightStorage::as_in_file;
}

DType kv_dtype(const LoadOptions& options, const Features& features) {
  switch (options.kv) {
    case KvType::f32: return DType::f32;
    case KvType::f16: return DType::f16;
    case KvType::int8: return DType::i8;
    case KvType::automatic: break;
  }
  return stores_f16(options.precision, features) ? DType::f16 : DType::f32;
}

std::string kv_name(DType dtype) {
  return dtype == DType::i8 ? "int8" : std::string(to_string(dtype));
}

/// Errors: invalid_argument for a kernel that there is not.
Result<model::DecodeOptions> decode_options(const LoadOptions& options,
                                            const AdapterInfo& adapter) {
  const std::string& matvec = options.matvec;
  if (!matvec.empty() && matvec != "f32" && matvec != "int8") {
    return fail(ErrorCode::invalid_argument, "engine: matvec is '{}', expected f32 or int8",
                matvec);
  }
  const bool is_int8 = matvec.empty() ? adapter.kind != AdapterKind::software : matvec == "int8";
  return model::DecodeOptions{.fused = options.plan != PlanKind::plain, .int8 = is_int8};
}

/// `config` must live as long as the answer.
engine::MemoryQuestion memory_question(const formats::ModelFiles& files,
                                       const formats::Config& config, const AdapterInfo& adapter,
                                       const LoadOptions& options) {
  return {.config = config,
          .kv_shape = {config.n_layers, config.n_kv_heads, config.head_dim,
                       kv_dtype(options, adapter.features)},
          .weight_bytes =
              engine::weight_bytes(files.checkpoint, weight_storage(options, adapter.features)),
          .limits = adapter.limits,
          .budget = options.memory_budget,
          .spills = options.kv_spill == KvSpill::host,
          .fused = options.plan != PlanKind::plain};
}

Result<void> check_slab(uint32_t slab) {
  if (slab % kv_cache::kGranule == 0) return {};
  return fail(ErrorCode::invalid_argument, "engine: kv_slab is {}, expected a multiple of {}", slab,
              kv_cache::kGranule);
}

/// What the KV caches may take, now that all else is on the GPU; 0: no limit is known.
uint64_t bytes_left(const engine::MemoryQuestion& q, const Engine::Impl& e, uint32_t context) {
  const uint64_t budget = engine::budget_of(q);
  if (budget == 0) return 0;
  const uint64_t taken =
      e.device.memory().total() + engine::step_bytes(e.config, e.model->max_tokens(), context);
  return std::max<uint64_t>(budget - std::min(budget, taken), 1);
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

ModelInfo describe_model(const std::string& folder, const Engine::Impl& e, Precision precision,
                         uint32_t context) {
  const formats::Config& c = e.config;
  const model::Weights& w = e.model->weights();
  return {.folder = folder,
          .architecture = c.architecture,
          .weight_dtype = std::string(to_string(w.output.dtype())),
          .kv_dtype = kv_name(e.kv_shape.dtype),
          .precision = precision,
          .plan = e.model->decode_options().fused ? "fused" : "plain",
          .matvec = e.model->decode_options().int8 ? "int8" : "f32",
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

/// How long the way from a submit to its bytes is, of which steps in flight keep the GPU free.
Result<void> measure_readback(Engine::Impl& e, const gpu::Tensor& tensor) {
  constexpr int kTimes = 5;
  std::array<double, kTimes> ms;
  for (double& one : ms) {
    const auto started = std::chrono::steady_clock::now();
    CHECK_OK(gpu::wait(e.device, e.device.read(tensor.row(0))));
    one = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - started)
              .count();
  }
  std::ranges::sort(ms);
  e.readback_ms = ms[kTimes / 2];
  return {};
}

/// Runs one prefill and one decode step on nothing in particular. Drivers compile a kernel when it
/// is created or when it first runs; both belong to loading, not to the first answer.
Result<void> compile_kernels(Engine::Impl& e) {
  const uint32_t n_tokens = std::min(e.model->max_tokens(), 2 * ops::kMatmulVecRows);
  TRY(kv_cache::KvCache kv, e.new_cache(n_tokens));
  CHECK_OK(make_room_and_wait(e.device, kv, 0, n_tokens));
  TRY(const StepBuffers step,
      StepBuffers::create(e.device, n_tokens, n_tokens, e.config.vocab_size));
  e.write_tokens(step, std::vector<uint32_t>(n_tokens, 0), 0);
  const ops::SamplingWords greedy = ops::sampling_words({});
  e.device.write(step.sampling.options, std::as_bytes(std::span(&greedy, 1)));
  using Ending = Engine::Impl::Ending;
  TRY(const gpu::Recording prefill, e.record_step(step, kv, n_tokens, n_tokens, Ending::logits));
  TRY(const gpu::Recording decode, e.record_step(step, kv, 1, 1, Ending::token));
  e.device.submit(prefill);
  CHECK_OK(gpu::wait(e.device, e.device.submit_and_read(decode, step.state.history)));
  return measure_readback(e, step.state.token_ids);
}

Result<std::unique_ptr<Engine::Impl>> load_impl(const std::string& path,
                                                const LoadOptions& options) {
  // Everything on disk is checked before a device is opened.
  TRY(const formats::ModelFiles files, formats::open_model(path));
  TRY(Tokenizer tokenizer, make_tokenizer(files.tokenizer));
  CHECK_OK(check_vocabulary(path, tokenizer, files.config));
  CHECK_OK(check_slab(options.kv_slab));
  TRY(gpu::Device device, gpu::open_device(options.adapter));

  Features features = device.adapter().features;
  features.subgroups &= options.subgroups;
  device.restrict_features(features);

  auto impl = std::make_unique<Engine::Impl>(
      Engine::Impl{.device = std::move(device), .config = files.config});
  const formats::Config& c = impl->config;
  const AdapterInfo& adapter = impl->device.adapter();
  const engine::MemoryQuestion question = memory_question(files, c, adapter, options);
  impl->kv_shape = question.kv_shape;
  impl->eos_ids = files.generation.eos_ids.empty() ? c.eos_ids : files.generation.eos_ids;
  impl->default_sampling = default_sampling_of(files.generation);
  impl->tokenizer = std::move(tokenizer);

  uint64_t weight_bytes = 0;
  for (const formats::TensorInfo& t : files.checkpoint.tensors()) weight_bytes += t.file_bytes();
  TRY(const uint32_t context, engine::choose_context(question, options.context));

  TRY(const model::DecodeOptions decode, decode_options(options, adapter));

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
  TRY(impl->model,
      model::load_model(impl->device, files.checkpoint, files.naming, c,
                        weight_storage(options, adapter.features), context,
                        engine::prefill_tokens(c, context, adapter.limits), decode, report));
  CHECK_OK(gpu::wait(impl->device, impl->device.settle()));
  if (options.on_progress) options.on_progress({weight_bytes, weight_bytes, "kernels"});
  CHECK_OK(compile_kernels(*impl));
  impl->kv_options =
      engine::kv_options(question, context, bytes_left(question, *impl, context), options.kv_slab);
  impl->info = describe_model(
      path, *impl,
      stores_f16(options.precision, adapter.features) ? Precision::f16 : Precision::f32, context);
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

Result<MemoryEstimate> Engine::estimate(const std::string& path, const LoadOptions& options) {
  TRY(const formats::ModelFiles files, formats::open_model(path));
  TRY(const gpu::Device device, gpu::open_device(options.adapter));
  const AdapterInfo& adapter = device.adapter();
  const engine::MemoryQuestion question = memory_question(files, files.config, adapter, options);
  const Result<uint32_t> loadable = engine::choose_context(question, options.context);
  if (!loadable && loadable.error().code == ErrorCode::invalid_argument) {
    return std::unexpected(loadable.error());
  }
  const uint32_t fitting = engine::fitting_context(question);
  const uint32_t chosen = fitting > 0 ? fitting : kv_cache::kPageSize;
  const uint32_t context = options.context > 0 ? options.context : chosen;
  return MemoryEstimate{.use = engine::memory_needed(question, context),
                        .context = context,
                        .fitting_context = fitting,
                        .budget = engine::budget_of(question),
                        .fits = loadable.has_value(),
                        .kv_dtype = kv_name(question.kv_shape.dtype),
                        .adapter = adapter};
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
