// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.oci;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.virtcontainers.InvalidConfigException;
import io.virtcontainers.MemorySize;
import io.virtcontainers.Resources;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class OciResourcesTest {
    private static Resources config(String json) {
        return OciResources.parse(json.replace('\'', '"')).toConfig();
    }

    @Test
    void theLimitsOfTheApiAreTaken() {
        assertThat(OciSpec.parse(TestSpecs.full()).linux().resources().toConfig())
                .isEqualTo(Resources.builder()
                        .cpuShares(1024)
                        .cpuQuotaMicros(150000)
                        .cpuPeriodMicros(100000)
                        .memoryLimit(MemorySize.mib(512))
                        .memoryReservation(MemorySize.mib(256))
                        .memorySwap(1L << 30)
                        .pidsLimit(100)
                        .build());
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{}",
                "{'cpu': {'shares': 0, 'quota': 0, 'period': 0, 'cpus': '0-3'}, 'pids': {'limit': 0}}",
                "{'memory': {'limit': 0, 'reservation': 0}}",
                "{'memory': {'limit': -1, 'reservation': -1}}",
            })
    void zeroAndAbsentAndTheHostsProcessorsAreNoLimit(String json) {
        assertThat(config(json)).isEqualTo(Resources.none());
    }

    @Test
    void negativeLimitsOfTimeAndProcessesTakeALimitAway() {
        assertThat(config("{'cpu': {'quota': -5}, 'pids': {'limit': -2}}"))
                .isEqualTo(Resources.builder().cpuQuotaMicros(-1).pidsLimit(-1).build());
    }

    @Test
    void sharesAreBroughtIntoTheKernelsRange() {
        assertThat(config("{'cpu': {'shares': 1}}").cpuShares()).hasValue(2);
        assertThat(config("{'cpu': {'shares': 999999999}}").cpuShares()).hasValue(262144);
    }

    @Test
    void whatTheKernelWouldRefuseIsRefused() {
        assertThatThrownBy(() -> config("{'cpu': {'period': 5}}"))
                .isInstanceOf(InvalidConfigException.class)
                .hasMessageContaining("linux.resources: cpu period")
                .hasMessageContaining("5");
    }
}
