// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.hypervisor.qemu;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;

class DeviceNamesTest {
    private final DeviceNames names = new DeviceNames("rootfs of ü");

    @Test
    void areTheSameInEveryProcess() {
        assertThat(names.host())
                .isEqualTo(new DeviceNames("rootfs of ü").host())
                .hasSizeLessThanOrEqualTo(31);
        assertThat(names.device(Plug.Bus.PCI, 0x1e)).startsWith("slot1e-").hasSizeLessThanOrEqualTo(31);
        assertThat(new DeviceNames("a").host()).isEqualTo("host-ca978112ca1bbdcafac231b3");
    }

    @Test
    void tellTheDeviceAndItsSlotAmongOthers() {
        String device = names.device(Plug.Bus.PCI, 0x1e);
        String other = new DeviceNames("other").device(Plug.Bus.PCI, 2);
        assertThat(names.deviceAmong(List.of("serial0", other, device))).contains(device);
        assertThat(names.deviceAmong(List.of("serial0", other, "slot1e-"))).isEmpty();
        assertThat(DeviceNames.placeOf(Plug.Bus.PCI, device)).contains(0x1e);
        assertThat(DeviceNames.placeOf(Plug.Bus.PCI, "serial0")).isEmpty();
    }
}
