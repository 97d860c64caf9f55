// The Backend over navigator.gpu: each call is handed to the page (base/web_host.h), which opened
// the device before the engine was started.
#include "base/json.h"
#include "base/json_text.h"
#include "base/web_host.h"
#include "gpu/native.h"

#include <cstddef>
#include <map>

namespace handloom::gpu {
namespace {

// web/src/gpu.ts reads these from memory.
static_assert(sizeof(BufferRange) == 24 && offsetof(BufferRange, offset) == 8 &&
              offsetof(BufferRange, bytes) == 16);
static_assert(sizeof(Command) == 72 && offsetof(Command, pipeline) == 4 &&
              offsetof(Command, bind_group) == 8 && offsetof(Command, workgroups) == 12 &&
              offsetof(Command, from) == 24 && offsetof(Command, to) == 48);

uint64_t number(const Json& object, const char* key) {
  const auto it = object.find(key);
  return it == object.end() ? 0 : static_cast<uint64_t>(it->get<double>());
}

/// What gpu.ts says of the device; it is ours, so it is taken as it is.
AdapterInfo read_adapter(const Json& told) {
  AdapterInfo info{.name = told.value("name", ""),
                   .vendor = told.value("vendor", ""),
                   .architecture = told.value("architecture", ""),
                   .driver = told.value("driver", ""),
                   .backend = "WebGPU"};
  if (told.value("software", false)) info.kind = AdapterKind::software;
  const Json& features = told["features"];
  info.features = {
      .f16 = features.value("f16", false),
      .subgroups = features.value("subgroups", false),
      .min_subgroup_size = static_cast<uint32_t>(number(features, "min_subgroup_size")),
      .max_subgroup_size = static_cast<uint32_t>(number(features, "max_subgroup_size")),
      .timestamps = features.value("timestamps", false)};
  const Json& limits = told["limits"];
  const auto narrow = [&](const char* key) { return static_cast<uint32_t>(number(limits, key)); };
  info.limits = {.max_binding_bytes = number(limits, "max_binding_bytes"),
                 .max_buffer_bytes = number(limits, "max_buffer_bytes"),
                 .max_bindings = narrow("max_bindings"),
                 .max_invocations = narrow("max_invocations"),
                 .max_workgroup_bytes = narrow("max_workgroup_bytes"),
                 .max_workgroups = narrow("max_workgroups")};
  return info;
}

const char* binding_type(Access access) {
  switch (access) {
    case Access::uniform: return "uniform";
    case Access::read: return "read-only-storage";
    case Access::write:
    case Access::read_write: return "storage";
  }
  return "storage";
}

ErrorCode error_code(std::string_view name) {
  for (const ErrorCode code : {ErrorCode::out_of_memory, ErrorCode::device_lost}) {
    if (to_string(code) == name) return code;
  }
  return ErrorCode::gpu;
}

class WebBackend final : public Backend {
 public:
  explicit WebBackend(AdapterInfo info) : info_(std::move(info)) {}

  const AdapterInfo& adapter() const override { return info_; }

  Id create_buffer(std::string_view label, uint64_t bytes, BufferUse use) override {
    web::gpu_create_buffer(next_id_, label.data(), label.size(), static_cast<double>(bytes),
                           static_cast<uint32_t>(use));
    return next_id_++;
  }

  Id create_host_buffer(std::string_view label, std::span<const std::byte> bytes) override {
    const Id id = create_buffer(label, bytes.size(), BufferUse::storage);  // where it lies is
    write_buffer(id, 0, bytes);                                            // the browser's choice
    return id;
  }

  void destroy_buffer(Id buffer) override { web::gpu_destroy_buffer(buffer); }

  void write_buffer(Id buffer, uint64_t offset, std::span<const std::byte> bytes) override {
    web::gpu_write_buffer(buffer, static_cast<double>(offset), bytes.data(), bytes.size());
  }

  Id create_pipeline(std::string_view label, const Kernel& kernel,
                     std::span<const Constant> constants) override {
    std::string bindings;
    for (const KernelBinding& b : kernel.bindings) {
      bindings += fmt::format("{}{}", bindings.empty() ? "" : " ", binding_type(b.access));
    }
    JsonText overrides;
    for (const Constant& c : constants) overrides.put(c.name, c.value);
    const std::string text = JsonText()
                                 .put("label", label)
                                 .put("entry", kernel.entry_point)
                                 .put("bindings", bindings)
                                 .put("constants", overrides)
                                 .text();
    const std::string source = flatten(kernel);
    web::gpu_create_pipeline(next_id_, text.data(), text.size(), source.data(), source.size());
    kernels_[next_id_] = &kernel;
    return next_id_++;
  }

  Id create_bind_group(std::string_view label, Id pipeline,
                       std::span<const BufferRange> bindings) override {
    web::gpu_create_bind_group(next_id_, label.data(), label.size(), pipeline, bindings.data(),
                               bindings.size());
    return next_id_++;
  }

  void destroy_bind_group(Id bind_group) override { web::gpu_destroy_bind_group(bind_group); }

  void submit(std::string_view label, std::span<const Command> commands,
              const Stamping& stamping) override {
    web::gpu_submit(label.data(), label.size(), commands.data(), commands.size(),
                    static_cast<uint32_t>(stamping.kind), stamping.stamps, stamping.first);
  }

  void start_map(Id buffer, uint64_t bytes) override {
    web::gpu_start_map(buffer, static_cast<double>(bytes));
  }

  bool is_mapped(Id buffer) override { return web::gpu_is_mapped(buffer) != 0; }

  void finish_map(Id buffer, std::span<std::byte> out) override {
    web::gpu_finish_map(buffer, out.data(), out.size());  // a refusal is among the errors
  }

  std::optional<Error> take_error() override {
    const std::string text = web::take_block(web::gpu_take_error());
    if (text.empty()) return std::nullopt;
    const Json told = Json::parse(text, nullptr, false);
    std::string message = told.value("message", "");
    if (const auto kernel = kernels_.find(static_cast<Id>(number(told, "pipeline")));
        kernel != kernels_.end()) {
      message = fmt::format(
          "{}: {}", locate(*kernel->second, number(told, "line"), number(told, "column")), message);
    }
    return Error{error_code(told.value("code", "")), std::move(message)};
  }

  void lose_device() override { web::gpu_lose_device(); }

 private:
  AdapterInfo info_;
  Id next_id_ = 1;
  std::map<Id, const Kernel*> kernels_;  // by pipeline, to find the places of errors
};

Result<AdapterInfo> open_adapter() {
  const std::string text = web::take_block(web::gpu_adapter());
  const Json told = Json::parse(text, nullptr, false);
  if (told.is_discarded()) {
    return fail(ErrorCode::gpu, "device: no adapter is open, expected one of WebGPU");
  }
  return read_adapter(told);
}

}  // namespace

Result<std::vector<AdapterInfo>> list_adapters() {
  TRY(AdapterInfo info, open_adapter());
  return std::vector{std::move(info)};
}

Result<Device> open_device(std::string_view) {
  TRY(AdapterInfo info, open_adapter());
  return Device(std::make_unique<WebBackend>(std::move(info)));
}

/// A page cannot wait: only for what has happened already.
Result<std::vector<std::byte>> wait(Device&, Readback readback) {
  if (readback.ready()) return readback.take();
  return fail(ErrorCode::internal, "device: a page cannot wait for a readback");
}

}  // namespace handloom::gpu
