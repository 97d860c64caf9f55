#include "gpu/encoder.h"

#include "gpu/device_state.h"

#include <algorithm>

namespace handloom::gpu {
namespace {

constexpr uint64_t kUniformAlignment = 256;  // WebGPU's default minUniformBufferOffsetAlignment

/// What a copy is in the list of dispatches.
constexpr KernelBinding kCopyBindings[] = {{"from", Access::read}, {"to", Access::write}};
constexpr Kernel kCopy = {.name = "copy", .bindings = kCopyBindings};

BufferRange range_of(const Tensor& tensor) {
  return {tensor.buffer->id(), tensor.offset, tensor.bytes()};
}

struct LaidParams {
  std::vector<std::byte> bytes;   // for one buffer
  std::vector<uint64_t> offsets;  // of each dispatch's
};

/// Layers are alike and so are their params: dispatches with the same share a place, which is in a
/// GPU's caches from the second layer on.
LaidParams lay_params(std::span<const Dispatch> dispatches) {
  LaidParams laid;
  for (size_t i = 0; i < dispatches.size(); ++i) {
    const std::span<const std::byte> params = dispatches[i].params.bytes();
    const auto same = std::ranges::find_if(dispatches.first(i), [&](const Dispatch& earlier) {
      return std::ranges::equal(earlier.params.bytes(), params);
    });
    const auto j = static_cast<size_t>(same - dispatches.begin());
    if (j < i) {
      laid.offsets.push_back(laid.offsets[j]);
      continue;
    }
    laid.offsets.push_back(laid.bytes.size());
    laid.bytes.insert(laid.bytes.end(), params.begin(), params.end());
    laid.bytes.resize((laid.bytes.size() + kUniformAlignment - 1) / kUniformAlignment *
                      kUniformAlignment);
  }
  return laid;
}

}  // namespace

Bindings::Bindings(std::initializer_list<Ref> tensors)
    : std::vector<Tensor>(tensors.begin(), tensors.end()) {}

Recording::Recording(Recording&&) noexcept = default;

Recording& Recording::operator=(Recording&& other) noexcept {
  std::swap(label_, other.label_);
  std::swap(commands_, other.commands_);
  dispatches_.swap(other.dispatches_);
  std::swap(state_, other.state_);
  std::swap(bind_groups_, other.bind_groups_);
  std::swap(params_buffer_, other.params_buffer_);
  std::swap(params_bytes_, other.params_bytes_);
  return *this;
}

Recording::~Recording() {
  if (!state_) return;
  for (const Id id : bind_groups_) state_->backend->destroy_bind_group(id);
  if (params_bytes_ > 0) {
    state_->backend->destroy_buffer(params_buffer_);
    state_->memory.other -= params_bytes_;
  }
}

Encoder::Encoder(Device& device, std::string label, StageTap tap)
    : device_(device), features_(device.features()), tap_(std::move(tap)) {
  recording_.label_ = std::move(label);
  recording_.state_ = device.state_;
}

/// Tells a kernel that asks for it (kernels/lib/subgroup_size.wgsl) how large every subgroup is.
void Encoder::add_known_subgroup_size(Dispatch& dispatch) const {
  const Features& all = device_.adapter().features;
  if (!all.subgroups || all.min_subgroup_size != all.max_subgroup_size) return;
  const auto asks = [](const KernelFile* helper) {
    return helper->path.ends_with("/subgroup_size.wgsl");
  };
  if (std::ranges::none_of(dispatch.kernel.helpers, asks)) return;
  dispatch.constants.push_back({"known_subgroup_size", static_cast<double>(all.min_subgroup_size)});
}

bool Encoder::is_repeat(Id pipeline, const Dispatch& dispatch) {
  if (!written_) return false;
  std::vector<Id> written = {pipeline};
  for (size_t i = 0; i < dispatch.bindings.size(); ++i) {
    if (dispatch.kernel.bindings[i].access != Access::read) {
      written.push_back(dispatch.bindings[i].buffer->id());
    }
  }
  return !written_->insert(std::move(written)).second;
}

void Encoder::dispatch(Dispatch dispatch) {
  const Kernel& kernel = dispatch.kernel;
  const size_t n_uniform = kernel.params_bytes > 0 ? 1 : 0;
  if (dispatch.bindings.size() + n_uniform != kernel.bindings.size() ||
      dispatch.params.bytes().size() != kernel.params_bytes) {
    return fail(fmt::format("{}: is given {} tensors and {} bytes of params, expected {} and {}",
                            kernel.name, dispatch.bindings.size(), dispatch.params.bytes().size(),
                            kernel.bindings.size() - n_uniform, kernel.params_bytes));
  }
  const uint32_t most = device_.adapter().limits.max_workgroups;
  for (const uint32_t n : dispatch.workgroups) {
    if (n == 0 || n > most) {
      return fail(fmt::format("{}: grid dimension is {}, expected 1 to {}", kernel.name, n, most));
    }
  }
  if (dispatch.bytes == 0) {
    for (const Tensor& t : dispatch.bindings) dispatch.bytes += t.bytes();
  }
  add_known_subgroup_size(dispatch);
  const Id pipeline = device_.pipeline(kernel, dispatch.constants);
  if (is_repeat(pipeline, dispatch)) return;
  const auto [x, y, z] = dispatch.workgroups;
  recording_.commands_.push_back({.pipeline = pipeline, .workgroups = {x, y, z}});
  recording_.dispatches_.push_back(std::move(dispatch));
}

void Encoder::copy(const Tensor& from, const Tensor& to) {
  if (from.bytes() != to.bytes()) {
    return fail(fmt::format("copy: '{}' has {} bytes, '{}' has {}", from.name, from.bytes(),
                            to.name, to.bytes()));
  }
  recording_.commands_.push_back(
      {.kind = Command::Kind::copy, .from = range_of(from), .to = range_of(to)});
  recording_.dispatches_.push_back(
      {.kernel = kCopy, .bindings = {from, to}, .bytes = 2 * from.bytes()});
}

void Encoder::stage(std::string_view name, const Tensor& tensor) {
  if (tap_) tap_(*this, name, tensor);
}

void Encoder::fail(std::string message) {
  if (failure_.empty()) failure_ = std::move(message);
}

Result<Recording> Encoder::finish() {
  if (!failure_.empty()) return handloom::fail(ErrorCode::internal, "{}", failure_);
  Backend& backend = device_.backend();

  const auto [params, params_offsets] = lay_params(recording_.dispatches_);
  if (!params.empty()) {
    recording_.params_bytes_ = params.size();
    recording_.state_->memory.other += params.size();
    recording_.params_buffer_ =
        backend.create_buffer(recording_.label_ + " params", params.size(), BufferUse::uniform);
    backend.write_buffer(recording_.params_buffer_, 0, params);
  }

  std::vector<BufferRange> ranges;
  for (size_t i = 0; i < recording_.dispatches_.size(); ++i) {
    Dispatch& d = recording_.dispatches_[i];
    Command& command = recording_.commands_[i];
    if (command.kind == Command::Kind::dispatch) {
      ranges.clear();
      for (const Tensor& t : d.bindings) ranges.push_back(range_of(t));
      if (d.kernel.params_bytes > 0) {
        ranges.push_back({recording_.params_buffer_, params_offsets[i], d.kernel.params_bytes});
      }
      command.bind_group = backend.create_bind_group(d.kernel.name, command.pipeline, ranges);
      recording_.bind_groups_.push_back(command.bind_group);
    }
    for (Tensor& t : d.bindings) t.buffer.reset();  // the owner of the memory may let it go
  }
  return std::move(recording_);
}

}  // namespace handloom::gpu
