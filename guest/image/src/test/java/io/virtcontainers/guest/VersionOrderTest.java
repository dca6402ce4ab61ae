// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.guest;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

final class VersionOrderTest {
    @Test
    void ordersNumbersByValue() {
        List<String> ordered = List.of(
                "vmlinuz-5.9.0",
                "vmlinuz-5.10.0-9-amd64",
                "vmlinuz-5.10.0-10-amd64",
                "vmlinuz-6",
                "vmlinuz-6.1",
                "vmlinuz-6.1.0-5-amd64",
                "vmlinuz-6.1.0-05-cloud",
                "vmlinuz-6.1.0-56-cloud-amd64",
                "vmlinuz-6.1.99999999999999999999");
        List<String> shuffled = new ArrayList<>(ordered);
        Collections.shuffle(shuffled, new Random(1));
        shuffled.sort(new VersionOrder());
        assertThat(shuffled).isEqualTo(ordered);
    }
}
