// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.hypervisor.qemu;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;

class DiskNamesTest {
    private final DiskNames names = new DiskNames("rootfs of ü");

    @Test
    void areTheSameInEveryProcess() {
        assertThat(names.node()).isEqualTo(new DiskNames("rootfs of ü").node()).hasSizeLessThanOrEqualTo(31);
        assertThat(names.device(0x1e)).startsWith("disk1e-").hasSizeLessThanOrEqualTo(31);
        assertThat(new DiskNames("a").node()).isEqualTo("node-ca978112ca1bbdcafac231b3");
    }

    @Test
    void tellTheDeviceAndItsSlotAmongOthers() {
        String device = names.device(0x1e);
        String other = new DiskNames("other").device(2);
        assertThat(names.deviceAmong(List.of("serial0", other, device))).contains(device);
        assertThat(names.deviceAmong(List.of("serial0", other, "disk1e-"))).isEmpty();
        assertThat(DiskNames.slotOf(device)).contains(0x1e);
        assertThat(DiskNames.slotOf("serial0")).isEmpty();
    }
}
