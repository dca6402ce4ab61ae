// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.hypervisor.qemu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.virtcontainers.HypervisorException;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class DiskSlotsTest {
    @Test
    void givesEachSlotOnceAndThenTheFreedOne() {
        DiskSlots slots = new DiskSlots();
        assertThat(IntStream.rangeClosed(1, 30).map(i -> slots.take()))
                .containsExactlyElementsOf(IntStream.rangeClosed(1, 30).boxed().toList());
        assertThatThrownBy(slots::take).isInstanceOf(HypervisorException.class).hasMessageContaining("30");
        slots.free(17);
        assertThat(slots.take()).isEqualTo(17);
        assertThatThrownBy(slots::take).isInstanceOf(HypervisorException.class);
    }
}
