// The one device of a test program. No adapter is a failure of the whole program, not a skip; the
// software adapter counts.
#pragma once

#include "gpu/native.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <optional>

namespace handloom::test {

/// Opens the first adapter before the first test and closes it before static objects end, which
/// Dawn asks for.
class DeviceEnvironment : public testing::Environment {
 public:
  void SetUp() override {
    Result<gpu::Device> opened = gpu::open_device("");
    ASSERT_TRUE(opened) << opened.error().message;
    const AdapterInfo& a = opened->adapter();
    std::printf("adapter: %s (%s), f16 %d, subgroups %u to %u\n", a.name.c_str(), a.driver.c_str(),
                a.features.f16, a.features.min_subgroup_size, a.features.max_subgroup_size);
    device() = std::move(*opened);
  }
  void TearDown() override { device().reset(); }

  static std::optional<gpu::Device>& device() {
    static std::optional<gpu::Device> the_device;
    return the_device;
  }
};

inline testing::Environment* const kDeviceEnvironment =
    testing::AddGlobalTestEnvironment(new DeviceEnvironment);

inline gpu::Device& device() { return *DeviceEnvironment::device(); }

}  // namespace handloom::test
