// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.agent.kata;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.google.protobuf.TextFormat;
import io.virtcontainers.AgentException;
import io.virtcontainers.ContainerStats;
import io.virtcontainers.agent.kata.protocol.CgroupStats;
import io.virtcontainers.agent.kata.protocol.HugetlbStats;
import io.virtcontainers.agent.kata.protocol.NetworkStats;
import io.virtcontainers.agent.kata.protocol.StatsContainerResponse;
import java.time.Duration;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class StatsMessagesTest {
    private static ContainerStats read(String text) throws Exception {
        return StatsMessages.read(TextFormat.parse(text, StatsContainerResponse.class));
    }

    @Test
    void readsEveryField() throws Exception {
        ContainerStats stats = read("""
                cgroup_stats {
                  cpu_stats {
                    cpu_usage { total_usage: 3000000001 percpu_usage: 7 usage_in_kernelmode: 2 usage_in_usermode: 1 }
                    throttling_data { periods: 4 throttled_periods: 5 throttled_time: 6 }
                  }
                  memory_stats {
                    cache: 10
                    usage { usage: 11 max_usage: 12 failcnt: 13 limit: 14 }
                    swap_usage { usage: 26 }
                    kernel_usage { usage: 16 }
                    stats { key: "pgfault" value: 17 }
                  }
                  pids_stats { current: 18 limit: 19 }
                  blkio_stats {
                    io_service_bytes_recursive { major: 254 minor: 1 op: "Read" value: 20 }
                    io_service_bytes_recursive { major: 254 minor: 1 op: "Total" value: 99 }
                    io_serviced_recursive { major: 254 minor: 1 op: "Read" value: 21 }
                    io_serviced_recursive { major: 254 minor: 1 op: "write" value: 22 }
                  }
                  hugetlb_stats { key: "2MB" value { usage: 23 max_usage: 24 failcnt: 25 } }
                }
                network_stats {
                  name: "eth0" rx_bytes: 1 rx_packets: 2 rx_errors: 3 rx_dropped: 4
                  tx_bytes: 5 tx_packets: 6 tx_errors: 7 tx_dropped: 8
                }
                """);
        assertThat(stats)
                .isEqualTo(new ContainerStats(
                        new ContainerStats.Cpu(
                                Duration.ofSeconds(3, 1),
                                Duration.ofNanos(1),
                                Duration.ofNanos(2),
                                4,
                                5,
                                Duration.ofNanos(6)),
                        new ContainerStats.Memory(11, 12, 14, 13, 10, 15, 16, Map.of("pgfault", 17L)),
                        new ContainerStats.Pids(18, 19),
                        List.of(
                                new ContainerStats.Blkio(254, 1, "Read", 20, 21),
                                new ContainerStats.Blkio(254, 1, "Write", 0, 22)),
                        Map.of("2MB", new ContainerStats.Hugetlb(23, 24, 25)),
                        List.of(new ContainerStats.Network("eth0", 1, 2, 3, 4, 5, 6, 7, 8))));
    }

    @Test
    void whatIsAbsentIsZero() throws Exception {
        assertThat(read(""))
                .isEqualTo(new ContainerStats(
                        new ContainerStats.Cpu(Duration.ZERO, Duration.ZERO, Duration.ZERO, 0, 0, Duration.ZERO),
                        new ContainerStats.Memory(0, 0, 0, 0, 0, 0, 0, Map.of()),
                        new ContainerStats.Pids(0, -1),
                        List.of(),
                        Map.of(),
                        List.of()));
    }

    @Test
    void numbersBeyond63BitsAreTheLargest() throws Exception {
        ContainerStats stats = read("""
                cgroup_stats {
                  cpu_stats { cpu_usage { total_usage: 18446744073709551615 } }
                  memory_stats {
                    usage { usage: 9223372036854775808 limit: 18446744073709551615 }
                    stats { key: "k" value: 18446744073709551615 }
                  }
                  pids_stats { limit: 18446744073709551615 }
                  blkio_stats {
                    io_service_bytes_recursive { op: "Read" value: 18446744073709551615 }
                    io_service_bytes_recursive { op: "Read" value: 18446744073709551615 }
                  }
                }
                """);
        assertThat(stats.cpu().usage()).isEqualTo(Duration.ofNanos(Long.MAX_VALUE));
        assertThat(stats.memory().usage()).isEqualTo(Long.MAX_VALUE);
        assertThat(stats.memory().limit()).isEqualTo(Long.MAX_VALUE);
        assertThat(stats.memory().details()).containsEntry("k", Long.MAX_VALUE);
        assertThat(stats.pids().limit()).isEqualTo(-1);
        assertThat(stats.blkio().get(0).bytes()).isEqualTo(Long.MAX_VALUE);
    }

    @Test
    void noLimitOfVersionOneIsNoLimit() throws Exception {
        assertThat(read("cgroup_stats { memory_stats { usage { limit: 9223372036854771712 } } }")
                        .memory()
                        .limit())
                .isEqualTo(Long.MAX_VALUE);
    }

    @Test
    void refusesNamesAndListsThatCannotBe() {
        CgroupStats.Builder longName =
                CgroupStats.newBuilder().putHugetlbStats("x".repeat(256), HugetlbStats.getDefaultInstance());
        assertThatThrownBy(() -> StatsMessages.read(StatsContainerResponse.newBuilder()
                        .setCgroupStats(longName)
                        .build()))
                .isInstanceOf(AgentException.class)
                .hasMessageContaining("name of a counter");
        assertThatThrownBy(() -> read("network_stats { name: \"eth0\\033[2J\" }"))
                .isInstanceOf(AgentException.class);
        assertThatThrownBy(() -> StatsMessages.read(StatsContainerResponse.newBuilder()
                        .addAllNetworkStats(Collections.nCopies(10_001, NetworkStats.getDefaultInstance()))
                        .build()))
                .isInstanceOf(AgentException.class)
                .hasMessage("the agent sent 10001 network interfaces, more than 10000");
    }
}
