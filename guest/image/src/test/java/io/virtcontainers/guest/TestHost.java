// SPDX-License-Identifier: Apache-2.0
package io.virtcontainers.guest;

import io.virtcontainers.spi.Phases;
import java.io.IOException;
import java.net.MalformedURLException;
import java.net.URL;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.time.InstantSource;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** A host in a folder: a kernel with modules, crun, an agent, all small. Its clock is an hour ahead: all files are old. */
final class TestHost {
    static final InstantSource LATER = () -> Instant.now().plus(Duration.ofHours(1));

    private final Path root;
    private final Map<String, String> environment = new HashMap<>(Map.of("PATH", System.getenv("PATH")));
    private InstantSource clock = LATER;

    TestHost(Path root) throws IOException {
        this.root = root;
        Files.createDirectories(root.resolve("boot"));
        Files.write(
                root.resolve("boot/vmlinuz-" + KernelBuilder.RELEASE),
                KernelBuilder.bzImage(KernelBuilder.vmlinux(300_000, 7), KernelBuilder.Packing.LZ4));
        module("virtio", "");
        module("virtio_ring", "");
        module("virtio_pci", "virtio,virtio_ring");
        module("virtio_console", "virtio,virtio_ring");
        module("virtio_blk", "virtio,virtio_ring");
        module("libcrc32c", "", "softdep=pre: crc32c");
        module("erofs", "libcrc32c");
        module("overlay", "");
        module("vsock", "");
        module("vmw_vsock_virtio_transport", "vsock,virtio,virtio_ring");
        module("libnvdimm", "");
        module("nfit", "libnvdimm");
        module("nd_pmem", "libnvdimm");
        Files.write(
                root.resolve("crun"),
                new ElfBuilder()
                        .extra("crun".getBytes(StandardCharsets.US_ASCII))
                        .build());
        environment.put("VIRTCONTAINERS_CRUN", root.resolve("crun").toString());
        Files.writeString(root.resolve("agent"), "agent");
    }

    static Path modules(Path root) {
        return root.resolve("lib/modules").resolve(KernelBuilder.RELEASE);
    }

    Path kernel() {
        return root.resolve("boot/vmlinuz-" + KernelBuilder.RELEASE);
    }

    Path crun() {
        return root.resolve("crun");
    }

    Path module(String name, String depends, String... fields) throws IOException {
        Path file = modules(root).resolve("kernel/drivers").resolve(name + ".ko");
        Files.createDirectories(file.getParent());
        List<String> modinfo = new ArrayList<>(List.of("license=GPL", "depends=" + depends, "name=" + name));
        modinfo.addAll(List.of(fields));
        return Files.write(
                file, new ElfBuilder().modinfo(modinfo.toArray(String[]::new)).build());
    }

    TestHost variable(String name, String value) {
        environment.put(name, value);
        return this;
    }

    TestHost clock(InstantSource source) {
        clock = source;
        return this;
    }

    Host host() {
        return new Host(
                environment,
                root.resolve("boot"),
                List.of(root.resolve("lib/modules")),
                "x86_64",
                Optional.of(url(root.resolve("agent"))),
                Host.local().root(),
                clock);
    }

    static URL url(Path file) {
        try {
            return file.toUri().toURL();
        } catch (MalformedURLException e) {
            throw new AssertionError(e);
        }
    }

    /** Notes which phases began; thread-safe. */
    static final class RecordedPhases implements Phases {
        private final List<String> names = Collections.synchronizedList(new ArrayList<>());

        @Override
        public Phase begin(String name) {
            names.add(name);
            return () -> {};
        }

        List<String> names() {
            return List.copyOf(names);
        }
    }
}
