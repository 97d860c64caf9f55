// Encoder: ops record named dispatches into it. Recording: the finished list, to submit as often as
// wanted, to print as a plan, to walk for a dump. Only buffer contents change between submits.
#pragma once

#include "base/result.h"
#include "gpu/device.h"
#include "gpu/kernel.h"
#include "gpu/tensor.h"

#include <array>
#include <cstring>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace handloom::gpu {

/// The bytes of a kernel's Params struct, as tools/embed_wgsl emits it.
class Params {
 public:
  Params() = default;
  template <class Struct>
  Params(const Struct& values) : bytes_(sizeof(Struct)) {  // NOLINT: meant to convert
    std::memcpy(bytes_.data(), &values, sizeof(Struct));
  }
  std::span<const std::byte> bytes() const { return bytes_; }

 private:
  std::vector<std::byte> bytes_;
};

/// The tensors that a dispatch binds. Made from a list of references, so that an op which names its
/// tensors copies each of them once, and here.
class Bindings : public std::vector<Tensor> {
 public:
  class Ref {
   public:
    Ref(const Tensor& tensor) : tensor_(&tensor) {}      // NOLINT: meant to convert
    operator const Tensor&() const { return *tensor_; }  // NOLINT

   private:
    const Tensor* tensor_;
  };

  Bindings(std::initializer_list<Ref> tensors);
};

struct Dispatch {
  const Kernel& kernel;
  Bindings bindings;  // in the kernel's order; its params are not among them
  Params params = {};
  std::vector<Constant> constants = {};
  std::array<uint32_t, 3> workgroups = {1, 1, 1};
  uint64_t bytes = 0;  // moved to or from memory; 0: the sum of all bindings
};

/// A list of dispatches and copies with everything they need on the GPU, made once.
class Recording {
 public:
  const std::string& label() const { return label_; }
  std::span<const Command> commands() const { return commands_; }
  /// The same list for people: one entry per command.
  std::vector<PlanEntry> plan() const;

  Recording(Recording&&) noexcept;
  Recording& operator=(Recording&&) noexcept;
  ~Recording();

 private:
  friend class Encoder;
  Recording() = default;

  std::string label_;
  std::vector<Command> commands_;
  std::vector<Dispatch> dispatches_;  // one a command; their tensors hold no memory
  std::shared_ptr<DeviceState> state_;
  std::vector<Id> bind_groups_;
  Id params_buffer_ = 0;
  uint64_t params_bytes_ = 0;
};

/// Called for every named stage with the tensor that holds it at that point of the list.
using StageTap = std::function<void(class Encoder&, std::string_view name, const Tensor&)>;

class Encoder {
 public:
  Encoder(Device& device, std::string label, StageTap tap = {});

  Device& device() { return device_; }
  const Device& device() const { return device_; }
  /// What ops may choose variants by: the adapter's features, or fewer.
  const Features& features() const { return features_; }
  void restrict_features(const Features& features) { features_ = features; }

  /// From here on leaves out a dispatch of a pipeline that has written to the same buffers before.
  /// For a list that is only to run every pipeline: what it leaves in the buffers means nothing,
  /// but whatever is read was written.
  void leave_out_repeats() { written_.emplace(); }

  void dispatch(Dispatch dispatch);
  /// Between two buffers; equal bytes.
  void copy(const Tensor& from, const Tensor& to);
  /// Names what `tensor` holds at this point: nothing is recorded unless a dump listens.
  void stage(std::string_view name, const Tensor& tensor);
  /// Whether a dump listens.
  bool is_tapped() const { return static_cast<bool>(tap_); }
  /// An op's shape check that failed: a mistake of ours, kept until finish(). The first one stays.
  void fail(std::string message);

  Result<Recording> finish();

 private:
  void add_known_subgroup_size(Dispatch& dispatch) const;
  bool is_repeat(Id pipeline, const Dispatch& dispatch);

  Device& device_;
  Features features_;
  StageTap tap_;
  Recording recording_;
  std::string failure_;
  std::optional<std::set<std::vector<Id>>>
      written_;  // by a pipeline, which comes first, to buffers
};

}  // namespace handloom::gpu
