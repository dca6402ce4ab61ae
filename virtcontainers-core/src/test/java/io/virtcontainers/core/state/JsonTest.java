// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.core.state;

import static org.assertj.core.api.Assertions.assertThat;

import io.virtcontainers.DiskFormat;
import io.virtcontainers.GuestPath;
import io.virtcontainers.GuestRoot;
import io.virtcontainers.MemorySize;
import io.virtcontainers.Mount;
import io.virtcontainers.NetworkConfig;
import io.virtcontainers.NetworkModel;
import io.virtcontainers.RootFs;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** Settings of several kinds are what they were after a round trip through the file. */
class JsonTest {
    private static final Path PATH = Path.of("some/where");
    private static final GuestPath INSIDE = GuestPath.of("/in/side");

    private static final Map<Class<?>, List<?>> KINDS = Map.of(
            RootFs.class,
            List.of(
                    RootFs.directory(PATH),
                    RootFs.image(PATH),
                    RootFs.shared(PATH),
                    new RootFs.Disk(PATH, DiskFormat.QCOW2, "ext4")),
            Mount.class,
            List.of(
                    new Mount.Bind(PATH, INSIDE, true),
                    new Mount.Shared(PATH, INSIDE, true),
                    new Mount.Volume("v", INSIDE, MemorySize.mib(3)),
                    new Mount.Persistent(PATH, "ext4", INSIDE, true),
                    new Mount.Tmpfs(INSIDE, MemorySize.mib(3))),
            NetworkConfig.class,
            List.of(
                    NetworkConfig.none(),
                    NetworkConfig.user(NetworkConfig.PortForward.tcp(1, 2)),
                    new NetworkConfig.Namespace(PATH, NetworkModel.MACVTAP, List.of("nameserver 1.1.1.1")),
                    new NetworkConfig.Veth(List.of("10.1.0.2/24"), List.of("10.1.0.1/24"), List.of("a"))),
            GuestRoot.class,
            List.of(GuestRoot.builtIn(), GuestRoot.initrd(PATH), GuestRoot.image(PATH), GuestRoot.nvdimm(PATH)));

    @Test
    void everyKindSurvivesARoundTrip() throws Exception {
        for (Map.Entry<Class<?>, List<?>> kinds : KINDS.entrySet()) {
            for (Object value : kinds.getValue()) {
                String json = Json.MAPPER.writerFor(kinds.getKey()).writeValueAsString(value);
                assertThat(Json.MAPPER.readValue(json, kinds.getKey())).isEqualTo(value);
            }
        }
    }

    @Test
    void everyKindIsAmongThem() {
        for (Map.Entry<Class<?>, List<?>> kinds : KINDS.entrySet()) {
            assertThat(kinds.getValue())
                    .extracting(Object::getClass)
                    .containsAll(Arrays.asList(kinds.getKey().getPermittedSubclasses()));
        }
    }
}
